import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPeer } from '../lib/peer.mjs'
import { childrenOf, commandOf, nameOf, until } from '../lib/proc.mjs'
import { quietly } from '../lib/quiet.mjs'
import { moment, readStamps, since } from '../lib/stamp.mjs'
import { spread, within } from '../lib/stats.mjs'
import { startSupervisor } from '../lib/supervisor.mjs'
import { startTaskd } from '../lib/taskd.mjs'

const RESTART = new URL('../peers/restart.mjs', import.meta.url)

/** Long enough for a worker to count as healthy. */
const HEALTHY_MS = 1300
const POLL_MS = 0.3
const nap = new Int32Array(new SharedArrayBuffer(4))

/**
 * A worker is KILLed: when does its task run again, on one that is idle, when has it left the dead
 * one, and when is there a new worker?
 */
export const recovery = {
  name: 'recovery',
  async run(ctx) {
    const trials = ctx.quick ? 5 : 20
    // Two: one has the task, the other one waits for one.
    const daemon = await startTaskd(ctx, '[queue:async_tasks]\nworkers = 2\n')
    const runs = []
    const backs = []
    const restarts = []
    const quiet = quietly(ctx)
    for (let n = 0; n < trials; n += 1) {
      const { againMs, backMs } = await quiet(() => killWithTask(ctx, daemon))
      runs.push(againMs)
      backs.push(backMs)
      restarts.push(await quiet(() => killIdle(daemon)))
    }
    ctx.say(
      `runs again ${spread(runs, 0)} ms, task back ${spread(backs, 0)} ms, new pid ${spread(restarts, 1)} ms`,
    )
    await daemon.stop()

    const bare = await startPeer(ctx, RESTART, {})
    const floor = []
    for (let n = 0; n < trials; n += 1) floor.push(await quiet(() => killSleeper(bare.pid)))
    await bare.stop()

    const supervisor = await startSupervisor(ctx)
    const seconds = []
    for (let n = supervisor ? Math.min(trials, 10) : 0; n > 0; n -= 1)
      seconds.push(await quiet(() => killSleeper(supervisor.pid)))
    await supervisor?.stop()
    return [
      {
        what: 'worker KILLed: its task runs again, ms; target over a bare exit to spawn',
        ...within(runs, floor, { p50: 60 }),
        ours: spread(runs, 0),
        peers: [['its task is back on the queue', spread(backs, 0)]],
      },
      {
        what: 'worker KILLed after a healthy run: new pid, ms; target over a bare exit to spawn',
        ...within(restarts, floor, { p50: 10 }),
        ours: spread(restarts, 1),
        peers: [
          ['bare Node, exit to spawn', spread(floor, 1)],
          ['supervisord', supervisor ? spread(seconds, 0) : 'not installed'],
        ],
      },
    ]
  },
}

const asyncWorkers = daemon =>
  daemon.workers().filter(pid => commandOf(pid).includes('async_tasks'))

async function settled(daemon) {
  await until('a healthy worker', () => daemon.ready(), { everyMs: 20 })
  await sleep(HEALTHY_MS + Math.random() * 300)
}

/** Times from the KILL to the task having left the dead worker, and to its running again. */
async function killWithTask(ctx, daemon) {
  const { redis } = daemon
  const active = '{taskd}:async_tasks:active'
  await settled(daemon)
  const file = join(ctx.folder, 'recovery')
  const before = readStamps(file).length
  const script = join(ctx.folder, 'stamp-and-sleep.sh')
  writeFileSync(script, `"${ctx.stamp.file}" "$1" "$2"; exec sleep 0.6\n`)
  await daemon.push('async_tasks', { script, controller: file, function: 'run' }, 1)
  const id = await until('the run', async () => (await redis.lrange(active, 0, 0))[0])
  await until('its first stamp', () => readStamps(file).length === before + 1)
  await sleep(200)
  const owner = await redis.get(`{taskd}:async_tasks:${id}:lock`)
  const victim = asyncWorkers(daemon).find(pid => owner?.includes(`.${pid}.`))
  if (victim === undefined) throw new Error('nobody knows who runs the task')
  const begun = moment()
  const from = performance.now()
  process.kill(victim, 'SIGKILL')
  await until(
    'the task',
    async () => (await redis.get(`{taskd}:async_tasks:${id}:lock`)) !== owner,
    { everyMs: 1 },
  )
  const backMs = performance.now() - from
  const stamps = await until('the second run', () => {
    const found = readStamps(file)
    return found.length === before + 2 && found
  })
  await until('its end', async () => (await redis.llen(active)) === 0)
  return { backMs, againMs: since(begun, stamps.at(-1)) }
}

async function killIdle(daemon) {
  await settled(daemon)
  const [old, ...others] = asyncWorkers(daemon)
  const known = new Set([old, ...others])
  return killAndWait(old, () => asyncWorkers(daemon).some(pid => !known.has(pid)))
}

async function killSleeper(parent) {
  await sleep(1300 + Math.random() * 1000)
  const sleeper = () => childrenOf(parent).find(pid => nameOf(pid) === 'sleep')
  const old = await until('the child', sleeper)
  return killAndWait(old, () => ![undefined, old].includes(sleeper()))
}

/** Looks every 0.3 ms; Node's own timers are too coarse for that. */
function killAndWait(pid, isBack) {
  process.kill(pid, 'SIGKILL')
  const begun = performance.now()
  while (!isBack()) {
    Atomics.wait(nap, 0, 0, POLL_MS)
    if (performance.now() - begun > 10_000) throw new Error('waited in vain for a restart')
  }
  return performance.now() - begun
}
