import { afterAll, beforeAll, expect, test } from 'vitest'
import { adoptFromDead } from '../../../src/queue/adopt.ts'
import { createClient } from '../../../src/queue/connection.ts'
import { intakeList, NODES } from '../../../src/queue/keys.ts'
import { startRedis } from '../../support/servers.ts'

let server: Awaited<ReturnType<typeof startRedis>>
let redis: ReturnType<typeof createClient>

beforeAll(async () => {
  server = await startRedis()
  redis = createClient(server.url, 'work', 'test')
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

test('what a dead node had taken is moved in order, a live node keeps its own', async () => {
  await redis.sadd(NODES, 'me', 'dead', 'live')
  const isGone = (node: string) => node === 'dead'
  await redis.rpush(intakeList('q', 'dead'), 'm1\na', 'm2\nb')
  await redis.rpush(intakeList('q', 'live'), 'm3\nc')
  await redis.rpush(intakeList('q', 'me'), 'm0\nz')

  expect(await adoptFromDead(redis, 'me', ['q', 'other'], isGone)).toBe(2)
  expect(await redis.lrange(intakeList('q', 'me'), 0, -1)).toEqual(['m0\nz', 'm1\na', 'm2\nb'])
  expect(await redis.lrange(intakeList('q', 'live'), 0, -1)).toEqual(['m3\nc'])
  expect((await redis.smembers(NODES)).toSorted()).toEqual(['live', 'me'])
  expect(await adoptFromDead(redis, 'me', ['q', 'other'], isGone)).toBe(0)
})
