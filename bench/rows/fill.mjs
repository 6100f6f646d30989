import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../lib/proc.mjs'
import { quietly } from '../lib/quiet.mjs'
import { startRedis } from '../lib/redis.mjs'
import { readStamps } from '../lib/stamp.mjs'
import { percentile, quantiles } from '../lib/stats.mjs'
import { startTaskd } from '../lib/taskd.mjs'
import { askStatus } from './status.mjs'
import { jobsIni } from './ticks.mjs'

/** The message that stands in the documentation. */
const TASK = {
  script: '/var/www/points/index.php',
  controller: 'api/AccumulatePay',
  function: 'execute',
  param: { field_1: 'value 1 of the field', field_2: 'value 2 of the field' },
}

/** A queue full of tasks: what one takes, and what it does to the schedule and to `status`. */
export const fill = {
  name: 'fill',
  async run(ctx) {
    const count = ctx.quick ? 20_000 : 100_000
    const file = join(ctx.folder, 'fill-stamps')
    const ini = `[queue:full]\nmode = async\n${jobsIni(ctx.stamp.file, file, 10, '* * * * * *')}`
    const daemon = await startTaskd(ctx, ini)
    await daemon.pause('full')
    const quiet = quietly(ctx)
    const before = await quiet(() =>
      observe(ctx, daemon, file, () => sleep(ctx.quick ? 5000 : 15_000)),
    )
    const memoryBefore = await usedMemory(daemon.redis)
    const begun = performance.now()
    const during = await observe(ctx, daemon, file, async () => {
      await daemon.push('full', TASK, count)
      await until('the intake', async () => (await daemon.queue('full')).waiting === count, {
        everyMs: 200,
        timeoutMs: 180_000,
      })
    })
    const rate = (count * 1000) / (performance.now() - begun)
    const bytes = ((await usedMemory(daemon.redis)) - memoryBefore) / count
    const after = await quiet(() =>
      observe(ctx, daemon, file, () => sleep(ctx.quick ? 5000 : 15_000)),
    )
    await daemon.stop()
    const peers = await peerBytes(ctx, count)
    ctx.say(`${bytes.toFixed(0)} bytes a task, taken in at ${rate.toFixed(0)}/s`)
    const told = ({ ticks, status }) =>
      `ticks ${quantiles(ticks, 50, 99)}; status ${quantiles(status, 50)}`
    return [
      {
        what: `${count} queued tasks: bytes of Redis a task`,
        target: '< 1000',
        met: bytes < 1000,
        ours: bytes.toFixed(0),
        peers: [
          ['BullMQ', peers.bullmq.toFixed(0)],
          ['a plain list', peers.list.toFixed(0)],
        ],
      },
      {
        what: 'the same: 10 jobs each second and `taskd status`, ms, with the queue empty → full',
        target: 'as before',
        met:
          percentile(after.ticks, 50) < 1.5 * percentile(before.ticks, 50) &&
          percentile(after.status, 50) < 1.25 * percentile(before.status, 50),
        ours: `${told(before)} → ${told(after)}`,
        peers: [['(while it is being filled)', told(during)]],
      },
    ]
  },
}

async function observe(ctx, daemon, file, act) {
  rmSync(file, { force: true })
  const status = []
  const over = new AbortController()
  const asking = (async () => {
    while (!over.signal.aborted) {
      status.push(await askStatus(ctx, daemon))
      await sleep(900)
    }
  })()
  await act()
  over.abort()
  await asking
  const ticks = readStamps(file).map(({ wall, due }) => wall - due)
  return { ticks, status }
}

async function usedMemory(redis) {
  const info = await redis.info('memory')
  return Number(/^used_memory:(\d+)/m.exec(info)?.[1])
}

async function peerBytes(ctx, count) {
  const redis = await startRedis(ctx)
  const { client } = redis
  const per = async act => {
    const before = await usedMemory(client)
    await act()
    return ((await usedMemory(client)) - before) / count
  }
  const queue = redis.queue('full')
  await queue.waitUntilReady()
  const bullmq = await per(async () => {
    for (let left = count; left > 0; left -= 500)
      await queue.addBulk(
        Array.from({ length: 500 }, () => ({ name: 'task', data: TASK, opts: { priority: 5 } })),
      )
  })
  const message = JSON.stringify({ task_key: 'full', ...TASK })
  const list = await per(async () => {
    for (let left = count; left > 0; left -= 500)
      await client.lpush('list', ...Array(500).fill(message))
  })
  await queue.close()
  await redis.stop()
  return { bullmq, list }
}
