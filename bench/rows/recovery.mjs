import { setTimeout as sleep } from 'node:timers/promises'
import { startPeer } from '../lib/peer.mjs'
import { childrenOf, commandOf, nameOf, until, which } from '../lib/proc.mjs'
import { quietly } from '../lib/quiet.mjs'
import { median, spread } from '../lib/stats.mjs'
import { startSupervisor } from '../lib/supervisor.mjs'
import { startTaskd } from '../lib/taskd.mjs'

const RESTART = new URL('../peers/restart.mjs', import.meta.url)

/** Long enough for a worker to count as healthy. */
const HEALTHY_MS = 1300
const POLL_MS = 0.3
const nap = new Int32Array(new SharedArrayBuffer(4))

/** A worker is KILLed: when is its task back on the queue, and when is there a new worker? */
export const recovery = {
  name: 'recovery',
  async run(ctx) {
    const trials = ctx.quick ? 5 : 20
    const daemon = await startTaskd(ctx, '')
    const backs = []
    const restarts = []
    const quiet = quietly(ctx)
    for (let n = 0; n < trials; n += 1) {
      backs.push(await quiet(() => killWithTask(daemon)))
      restarts.push(await quiet(() => killIdle(daemon)))
    }
    ctx.say(`task back ${spread(backs, 0)} ms, new pid ${spread(restarts, 1)} ms`)
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
        what: 'worker KILLed: its task is back on the queue, ms',
        target: '< 100',
        met: median(backs) < 100,
        ours: spread(backs, 0),
        peers: [],
      },
      {
        what: 'worker KILLed after a healthy run: new pid, ms',
        target: '< 15',
        met: median(restarts) < 15,
        ours: spread(restarts, 1),
        peers: [
          ['bare Node, exit to spawn', spread(floor, 1)],
          ['supervisord', supervisor ? spread(seconds, 0) : 'not installed'],
        ],
      },
    ]
  },
}

const asyncWorker = daemon => daemon.workers().find(pid => commandOf(pid).includes('async_tasks'))

async function settled(daemon) {
  await until('a healthy worker', () => daemon.ready(), { everyMs: 20 })
  await sleep(HEALTHY_MS + Math.random() * 300)
}

/** Time from the KILL to the task having left the dead worker. */
async function killWithTask(daemon) {
  const { redis } = daemon
  const active = '{taskd}:async_tasks:active'
  await settled(daemon)
  const task = { script: which('sleep'), controller: '0.6', function: '0', param: '0' }
  await daemon.push('async_tasks', task, 1)
  const id = await until('the run', async () => (await redis.lrange(active, 0, 0))[0])
  await sleep(200)
  process.kill(asyncWorker(daemon), 'SIGKILL')
  const begun = performance.now()
  await until('the task', async () => (await redis.lpos(active, id)) === null, { everyMs: 1 })
  const took = performance.now() - begun
  await until('the second run', async () => (await redis.llen(active)) === 1)
  await until('its end', async () => (await redis.llen(active)) === 0)
  return took
}

async function killIdle(daemon) {
  await settled(daemon)
  const old = asyncWorker(daemon)
  return killAndWait(old, () => asyncWorker(daemon) !== undefined && asyncWorker(daemon) !== old)
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
