import { expect, it } from 'vitest'
import { DATA_MARK } from '../../src/queue/keys.ts'
import { newDaemon, redisClient } from '../support/daemon.ts'
import { startRedis } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

/** A Redis that answers and takes no write; taskd has been on it before. */
async function refusing() {
  const server = await startRedis()
  const redis = redisClient(server.path)
  await redis.hset(DATA_MARK, 'mark', 'of before')
  await redis.config('SET', 'min-replicas-to-write', '1')
  const daemon = newDaemon({ taskd: { redis: server.url } })
  return {
    redis,
    daemon,
    async [Symbol.asyncDispose]() {
      await daemon.remove()
      redis.disconnect()
      await server.remove()
    },
  }
}

/** It has tried to take its name, and was refused. */
const refusedAt = (stats: string) =>
  Number(/errorstat_NOREPLICAS:count=(\d+)/.exec(stats)?.[1] ?? 0)

it('a start waits for a Redis that takes no writes, and goes on when it does', async () => {
  await using bench = await refusing()
  const { redis, daemon } = bench
  const ended = daemon.spawn()
  const tried = async () => refusedAt(await redis.info('errorstats')) >= 5
  await waitFor(tried, { timeoutMs: 30_000, what: 'it is refused again and again' })
  await redis.config('SET', 'min-replicas-to-write', '0')
  await daemon.ready()
  expect(await daemon.stop()).toMatchObject({ code: 0 })
  await ended
})

it('a start that waits for it can be stopped', async () => {
  await using bench = await refusing()
  const { redis, daemon } = bench
  const ended = daemon.spawn()
  const tried = async () => refusedAt(await redis.info('errorstats')) >= 5
  await waitFor(tried, { timeoutMs: 30_000, what: 'it is refused again and again' })
  daemon.signal('SIGTERM')
  expect(await ended).toMatchObject({ code: 0 })
  expect(daemon.log()).not.toContain('cannot start')
})
