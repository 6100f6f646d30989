import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPeer } from '../lib/peer.mjs'
import { until } from '../lib/proc.mjs'
import { quietly } from '../lib/quiet.mjs'
import { startRedis } from '../lib/redis.mjs'
import { moment, readStamps, since } from '../lib/stamp.mjs'
import { quantiles, within } from '../lib/stats.mjs'
import { startTaskd } from '../lib/taskd.mjs'

const BULLMQ_SPAWN = new URL('../peers/bullmq-spawn.mjs', import.meta.url)
const BARE_SPAWN = new URL('../peers/bare-spawn.mjs', import.meta.url)

/** From LPUSH to the first instruction of the script, on an idle system, one task now and then. */
export const latency = {
  name: 'latency',
  async run(ctx) {
    const count = ctx.quick ? 60 : 200
    const files = Object.fromEntries(
      ['taskd', 'bullmq', 'bare'].map(name => [name, join(ctx.folder, `latency-${name}`)]),
    )
    const stamp = ctx.stamp.file
    const daemon = await startTaskd(ctx, '')
    const redis = await startRedis(ctx)
    const queue = redis.queue('latency')
    const worker = await startPeer(ctx, BULLMQ_SPAWN, {
      socket: redis.socket,
      queue: 'latency',
      concurrency: 16,
    })
    const bare = await startPeer(ctx, BARE_SPAWN, { stamp, file: files.bare })

    const sides = {
      taskd: id =>
        daemon.redis.lpush(
          'async_tasks',
          JSON.stringify({
            task_key: 'async_tasks',
            script: stamp,
            controller: files.taskd,
            function: id,
            param: '',
          }),
        ),
      bullmq: id =>
        queue.add('task', { script: stamp, args: [files.bullmq, id] }, { removeOnComplete: true }),
    }
    const samples = { taskd: [], bullmq: [], bare: [] }
    const quiet = quietly(ctx)
    for (let round = 0; round < ctx.rounds; round += 1) {
      for (const [name, push] of Object.entries(sides))
        samples[name].push(...(await quiet(() => oneByOne(push, files[name], count))))
      const begun = await quiet(() => bare.ask(count))
      samples.bare.push(...delays(begun, files.bare))
      ctx.say(`round ${round + 1}: taskd ${quantiles(samples.taskd, 50, 99)} ms`)
    }
    await worker.stop()
    await bare.stop()
    await queue.close()
    await redis.stop()
    await daemon.stop()
    return [
      {
        what: 'LPUSH to the first instruction of the script, idle, ms; target over the bare spawn',
        ...within(samples.taskd, samples.bare, { p50: 4, p99: 6 }),
        ours: quantiles(samples.taskd, 50, 99),
        peers: [
          ['BullMQ + spawn', quantiles(samples.bullmq, 50, 99)],
          ['bare Node spawn, no queue', quantiles(samples.bare, 50, 99)],
        ],
      },
    ]
  },
}

async function oneByOne(push, file, count) {
  const begun = {}
  const already = readStamps(file).length
  for (let n = 0; n < count; n += 1) {
    await sleep(20 + Math.random() * 90)
    const id = `t-${process.hrtime.bigint()}`
    begun[id] = moment()
    await push(id)
  }
  await until('the last stamp', () => readStamps(file).length >= already + count)
  return delays(begun, file)
}

function delays(begun, file) {
  return readStamps(file)
    .filter(stamp => begun[stamp.id])
    .map(stamp => since(begun[stamp.id], stamp))
}
