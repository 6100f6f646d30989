import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startPeer } from '../lib/peer.mjs'
import { timed, until, which } from '../lib/proc.mjs'
import { quietly } from '../lib/quiet.mjs'
import { startRedis } from '../lib/redis.mjs'
import { median, spread } from '../lib/stats.mjs'
import { startTaskd } from '../lib/taskd.mjs'

const BULLMQ_SPAWN = new URL('../peers/bullmq-spawn.mjs', import.meta.url)

const ARGS = ['api/Pay', 'execute', 'a=1']

/** Eight at once, in two ways: two workers of four, and one of eight. */
const SHAPES = [
  { name: '2x4', workers: 2, concurrency: 4 },
  { name: '1x8', workers: 1, concurrency: 8 },
]

/** Tasks per second of very short tasks: what a task costs beyond itself. */
export const spawn = {
  name: 'spawn',
  run: ctx =>
    throughput(ctx, {
      what: '`/bin/true`, 8 at once: tasks/s over `xargs -P8`',
      script: which('true'),
      argv: [which('true'), ...ARGS],
      count: ctx.quick ? 800 : 2000,
      warmUp: 3000,
      target: 0.4,
    }),
}

/** The same with PHP, where a task is worth something. */
export const php = {
  name: 'php',
  run: ctx => {
    const binary = which('php')
    if (!binary) return ctx.without('php')
    const script = join(ctx.folder, 'hello.php')
    writeFileSync(script, '<?php echo json_encode($argv), "\\n";\n')
    return throughput(ctx, {
      what: '`php hello.php`, 8 at once: tasks/s over `xargs -P8`',
      script,
      argv: [binary, script, ...ARGS],
      count: ctx.quick ? 120 : 400,
      warmUp: 200,
      target: 0.8,
    })
  },
}

async function throughput(ctx, { what, script, argv, count, warmUp, target }) {
  const daemon = await startTaskd(
    ctx,
    SHAPES.map(
      ({ name, workers, concurrency }) =>
        `[queue:q${name}]\nmode = async\nworkers = ${workers}\nconcurrency = ${concurrency}\n`,
    ).join(''),
  )
  const redis = await startRedis(ctx)
  const peers = []
  for (const { name, workers, concurrency } of SHAPES) {
    const options = { socket: redis.socket, queue: `q${name}`, concurrency }
    const members = []
    for (let n = 0; n < workers; n += 1) members.push(await startPeer(ctx, BULLMQ_SPAWN, options))
    peers.push({ name, members, queue: redis.queue(`q${name}`) })
  }
  const quiet = quietly(ctx)
  // Those who run for days are asked how fast they are, not how fast their compiler warms up.
  for (const { name } of SHAPES) await ours(daemon, `q${name}`, script, warmUp)
  for (const peer of peers) await bullmq(peer, argv, warmUp)
  const rounds = { xargs: [], taskd: { '2x4': [], '1x8': [] }, bullmq: { '2x4': [], '1x8': [] } }
  for (let round = 0; round < ctx.rounds; round += 1) {
    const limit = await quiet(() => xargs(argv, count))
    rounds.xargs.push(limit)
    for (const { name } of SHAPES) {
      const rate = await quiet(() => ours(daemon, `q${name}`, script, count))
      rounds.taskd[name].push(rate / limit)
    }
    for (const peer of peers)
      rounds.bullmq[peer.name].push((await quiet(() => bullmq(peer, argv, count))) / limit)
    ctx.say(`round ${round + 1}: taskd 2x4 ${rounds.taskd['2x4'].at(-1).toFixed(2)} of xargs`)
  }
  for (const { members, queue } of peers) {
    await Promise.all(members.map(member => member.stop()))
    await queue.close()
  }
  await redis.stop()
  await daemon.stop()
  const best = Math.max(...SHAPES.map(({ name }) => median(rounds.taskd[name])))
  return [
    {
      what,
      target: `${target.toFixed(2)}`,
      met: best >= target,
      ours: SHAPES.map(({ name }) => `${name}: ${spread(rounds.taskd[name])}`).join('; '),
      peers: [
        ['xargs', `1, being ${median(rounds.xargs).toFixed(0)}/s`],
        ...SHAPES.map(({ name }) => [`BullMQ + spawn ${name}`, spread(rounds.bullmq[name])]),
      ],
    },
  ]
}

const perSecond = (count, ms) => (count * 1000) / ms

async function xargs([file, ...args], count) {
  const input = Array(count).fill(args.slice(-3).join(' ')).join('\n')
  const fixed = args.slice(0, -3)
  const command = `printf '%s\\n' "$0" | xargs -P8 -n3 "$@" >/dev/null`
  const { ms } = await timed('sh', ['-c', command, input, file, ...fixed])
  return perSecond(count, ms)
}

/** The queue is filled while it is paused, through the public door; then the time to the last end. */
async function ours(daemon, queue, script, count) {
  const [controller, name, param] = ARGS
  await daemon.pause(queue)
  const before = await daemon.finished(queue)
  await daemon.push(queue, { script, controller, function: name, param }, count)
  await until('the intake', async () => (await daemon.queue(queue)).waiting === count, {
    everyMs: 50,
  })
  const begun = performance.now()
  await daemon.resume(queue)
  await until('the tasks', async () => (await daemon.finished(queue)) === before + count, {
    timeoutMs: 120_000,
  })
  return perSecond(count, performance.now() - begun)
}

async function bullmq({ queue }, [script, ...args], count) {
  await queue.pause()
  for (let left = count; left > 0; left -= 500)
    await queue.addBulk(
      Array.from({ length: Math.min(left, 500) }, () => ({
        name: 'task',
        data: { script, args },
      })),
    )
  const begun = performance.now()
  await queue.resume()
  await until(
    'BullMQ',
    async () => {
      const { active, wait, paused } = await queue.getJobCounts('active', 'wait', 'paused')
      return active + wait + paused === 0
    },
    { timeoutMs: 120_000 },
  )
  return perSecond(count, performance.now() - begun)
}
