import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPeer } from '../lib/peer.mjs'
import { anonymous, ticksOf, timed, treeTicks, until, which } from '../lib/proc.mjs'
import { quietly } from '../lib/quiet.mjs'
import { median, percentile, spread } from '../lib/stats.mjs'
import { sleepers, sleepersOf, startSupervisor } from '../lib/supervisor.mjs'
import { startTaskd } from '../lib/taskd.mjs'

const RESTART = new URL('../peers/restart.mjs', import.meta.url)
const HUNDRED = 100
const POLL_MS = 0.3
const nap = new Int32Array(new SharedArrayBuffer(4))

/** Programs kept alive: restart, mass start and stop, memory and idle CPU; supervisord and PM2 beside it. */
export const programs = {
  name: 'programs',
  async run(ctx) {
    const found = {
      ours: emptyFigures(),
      supervisord: emptyFigures(),
      pm2: emptyFigures(),
      bare: [],
    }
    for (let round = 0; round < Math.min(ctx.rounds, 3); round += 1) {
      await measureTaskd(ctx, found.ours)
      await measureSupervisor(ctx, found.supervisord)
      await measurePm2(ctx, found.pm2)
      const bare = await startPeer(ctx, RESTART, {})
      found.bare.push(...(await restarts(ctx, () => sleepersOf(bare.pid))))
      await bare.stop()
      ctx.say(
        `round ${round + 1}: restart ${spread(found.ours.restart, 1)} ms, up ${spread(found.ours.up)} s`,
      )
    }
    return rowsOf(found)
  },
}

const emptyFigures = () => ({
  restart: [],
  up: [],
  again: [],
  stop: [],
  idle: [],
  idleAll: [],
})

async function measureTaskd(ctx, figures) {
  const daemon = await startTaskd(ctx, sleepers(HUNDRED), async one => {
    await until('100 programs', () => sleepersOf(one.pid).length === HUNDRED)
    figures.up.push((performance.now() - one.begun) / 1000)
  })
  figures.restart.push(...(await restarts(ctx, () => sleepersOf(daemon.pid))))
  await sleep(2000)
  const [own, all] = await idleCpu(ctx, daemon.pid)
  figures.idle.push(own)
  figures.idleAll.push(all)
  const names = Array.from({ length: HUNDRED }, (_, n) => `sleeper${n}`)
  const change = action => () => daemon.ask('POST', `/processes/${action}`, { names })
  await stopAndStart(figures, () => sleepersOf(daemon.pid), change('stop'), change('start'))
  await daemon.stop()
}

async function measureSupervisor(ctx, figures) {
  const supervisor = await startSupervisor(ctx, HUNDRED)
  if (!supervisor) return
  figures.up.push(supervisor.upMs / 1000)
  figures.restart.push(...(await restarts(ctx, () => sleepersOf(supervisor.pid), 2)))
  await sleep(2000)
  figures.idle.push((await idleCpu(ctx, supervisor.pid))[0])

  const ctl = which('supervisorctl')
  const change = action => () => timed(ctl, ['-c', supervisor.config, action, 'all'])
  await stopAndStart(figures, () => sleepersOf(supervisor.pid), change('stop'), change('start'))
  await supervisor.stop()
}

/** PM2 starts its daemon by itself; a home of its own keeps it from any other. */
async function measurePm2(ctx, figures) {
  const pm2 = which('pm2')
  if (!pm2) return
  const home = mkdtempSync(join(ctx.folder, 'pm2-'))
  mkdirSync(join(home, 'home'))
  const env = { ...process.env, PM2_HOME: join(home, 'home') }
  const apps = Array.from({ length: HUNDRED }, (_, n) => ({
    name: `sleeper${n}`,
    script: which('sleep'),
    args: 'infinity',
    interpreter: 'none',
  }))
  writeFileSync(join(home, 'eco.json'), JSON.stringify({ apps }))
  const run = (...args) => timed(pm2, args, { env })
  await run('ping')
  ctx.onEnd(() => run('kill'))
  const pid = pidOfPm2(join(home, 'home'))
  const alive = () => sleepersOf(pid)
  const { ms } = await run('start', join(home, 'eco.json'))
  await until('PM2', () => alive().length === HUNDRED)
  figures.up.push(ms / 1000)
  figures.restart.push(...(await restarts(ctx, alive)))
  await sleep(2000)
  figures.idle.push((await idleCpu(ctx, pid))[0])

  await stopAndStart(
    figures,
    alive,
    () => run('stop', 'all'),
    () => run('start', 'all'),
  )
  await run('kill')
}

function pidOfPm2(home) {
  return Number(readFileSync(join(home, 'pm2.pid'), 'utf8'))
}

/** From the KILL of one of them to another process in its place, ms. */
async function restarts(ctx, alive, trials = ctx.quick ? 5 : 10) {
  const quiet = quietly(ctx)
  const samples = []
  for (let n = 0; n < trials; n += 1) {
    await sleep(1300 + Math.random() * 500)
    samples.push(await quiet(() => killOne(alive)))
  }
  return samples
}

function killOne(alive) {
  const before = new Set(alive())
  const [victim] = before
  process.kill(victim, 'SIGKILL')
  const begun = performance.now()
  while (!alive().some(pid => !before.has(pid))) {
    Atomics.wait(nap, 0, 0, POLL_MS)
    if (performance.now() - begun > 10_000) throw new Error('waited in vain for a restart')
  }
  return performance.now() - begun
}

async function stopAndStart(figures, alive, stop, start) {
  figures.stop.push(await seconds(stop, () => alive().length === 0))
  figures.again.push(await seconds(start, () => alive().length === HUNDRED))
}

/** Until the asker has its answer and it is so. */
async function seconds(act, done) {
  const begun = performance.now()
  await act()
  await until('all of them', done)
  return (performance.now() - begun) / 1000
}

/** Percent of one core, over some seconds in which nothing happens: of the process, and of all that it started. */
async function idleCpu(ctx, pid) {
  const span = ctx.quick ? 10 : 30
  const before = [ticksOf(pid), treeTicks(pid)]
  await sleep(span * 1000)
  return [ticksOf(pid), treeTicks(pid)].map((ticks, n) => (ticks - before[n]) / span)
}

function rowsOf({ ours, supervisord, pm2, bare }) {
  const peers = (figure, digits) => [
    [
      'supervisord',
      supervisord[figure].length > 0 ? spread(supervisord[figure], digits) : 'not installed',
    ],
    ['PM2', pm2[figure].length > 0 ? spread(pm2[figure], digits) : 'not installed'],
  ]
  const row = (what, figure, target, met, digits, more = []) => ({
    what,
    target,
    met: met(median(ours[figure])),
    ours: spread(ours[figure], digits),
    peers: [...more, ...peers(figure, digits)],
  })
  return [
    row('program KILLed: new pid, ms', 'restart', '< 5', n => n < 5, 1, [
      ['bare Node, exit to spawn', spread(bare, 1)],
    ]),
    row(
      '100 programs up, from the start of the daemon (PM2: of the programs), s',
      'up',
      '< 0.6',
      n => n < 0.6,
      2,
    ),
    row('100 programs started again, s', 'again', '< 0.6', n => n < 0.6, 2),
    row('100 programs stopped, s', 'stop', '< 1', n => n < 1, 2),
    row('idle CPU of the daemon with 100 programs, % of a core', 'idle', '< 0.3', n => n < 0.3, 2, [
      ['taskd with its workers and its Redis', spread(ours.idleAll, 2)],
    ]),
  ]
}

/** A thousand programs, and how long status takes to answer while they start. */
export const thousand = {
  name: 'thousand',
  async run(ctx) {
    const ups = []
    const answers = []
    const each = []
    for (let round = 0; round < Math.min(ctx.rounds, 3); round += 1) {
      const daemon = await startTaskd(ctx, sleepers(1000), async one => {
        const watch = until('1000 programs', () => sleepersOf(one.pid).length === 1000, {
          timeoutMs: 60_000,
        }).then(() => 'up')
        for (let state; state !== 'up'; state = await Promise.race([watch, sleep(20)])) {
          const begun = performance.now()
          const told = await one.status().catch(() => undefined)
          if (told) answers.push(performance.now() - begun)
        }
        ups.push((performance.now() - one.begun) / 1000)
      })
      const full = await settledMemory(daemon.pid)
      await daemon.stop()
      const none = await startTaskd(ctx, '')
      each.push((full - (await settledMemory(none.pid))) / 1000)
      await none.stop()
    }
    const other = await memoryOfSupervisor(ctx)
    const worst = percentile(answers, 100)
    return [
      {
        what: '1,000 programs up, s',
        target: '< 8',
        met: median(ups) < 8,
        ours: spread(ups, 1),
        peers: [],
      },
      {
        what: 'longest answer of `status` meanwhile, ms',
        target: '< 300',
        met: worst < 300,
        ours: worst.toFixed(0),
        peers: [],
      },
      {
        what: 'memory of the daemon for each of 1,000 programs, KB',
        target: '~ 20',
        met: median(each) < 25,
        ours: spread(each, 0),
        peers: [['supervisord, for each of 100', other]],
      },
    ]
  },
}

/** What a process has for itself, KB, when the garbage of its start is gone: V8 sees to it after 8 s of rest. */
async function settledMemory(pid) {
  await sleep(20_000)
  return anonymous(pid)
}

async function memoryOfSupervisor(ctx) {
  const full = await startSupervisor(ctx, HUNDRED)
  if (!full) return 'not installed'
  const hundred = await settledMemory(full.pid)
  await full.stop()
  const one = await startSupervisor(ctx)
  const each = (hundred - (await settledMemory(one.pid))) / (HUNDRED - 1)
  await one.stop()
  return each.toFixed(0)
}
