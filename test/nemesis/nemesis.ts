import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../../src/lib/errors.ts'
import { waitFor } from '../support/wait.ts'
import { check, type Violation } from './checker.ts'
import { CLOCK_STEP, doFault, FAULTS, type FaultKind, MAX_STEP_S } from './faults.ts'
import type { Fault, History, TickingJob } from './history.ts'
import { readLedger } from './ledger.ts'
import { startLoad } from './load.ts'
import { seeded } from './random.ts'
import { keepArtefacts, Timeline } from './report.ts'
import { rest } from './rest.ts'
import { ticks } from './rules/ticks.ts'
import { type Step, scheduleOf } from './schedule.ts'
import { uptime } from './uptime.ts'
import { readVerdicts } from './verdicts.ts'
import { startWatch } from './watch.ts'
import { JOBS, NODES, startWorld, type World } from './world.ts'

export interface NemesisOptions {
  readonly seed: number
  readonly minutes: number
  /** Gets each line of the timeline as it comes. */
  readonly print?: (line: string) => void
  /** Only faults whose name has this in it. */
  readonly only?: string
}

export interface NemesisResult {
  readonly history: History
  readonly violations: readonly Violation[]
  /** Where ledger, logs and history are kept; '' when nothing was found. */
  readonly folder: string
}

/** A retry that was delayed by a clock that was ahead waits for as long as it was ahead. */
const REST_MS = 180_000 + MAX_STEP_S * 1000
const TICKS_MS = 120_000
const SQL_JOB = 'beat'

/** One run: raises a world, loads it, does the faults of the seed, lets it come to rest, judges. */
export async function runNemesis(options: NemesisOptions): Promise<NemesisResult> {
  const { seed, minutes, print = () => undefined, only = '' } = options
  const kinds = FAULTS.filter(kind => kind.name.includes(only))
  const steps = scheduleOf(seed, minutes, kinds, NODES)
  const timeline = new Timeline(print)
  timeline.say(`seed ${seed}, ${minutes} min, ${steps.length} faults`)
  await using world = await startWorld(steps.some(step => step.fault === CLOCK_STEP.name))
  await Promise.all(world.nodes.map(node => node.start()))
  await Promise.all(world.nodes.map(node => node.daemon.ready()))
  // The first of them makes the tables, when it has found the time.
  const added = () => world.tables.insertTask(SQL_JOB, '3', `"${world.dir}",50`).then(() => true)
  await waitFor(added, { timeoutMs: 120_000, what: 'the tables are made' })
  timeline.say('three nodes are up')

  const watch = startWatch(world.nodes)
  const firstTick = Date.now() + 1500
  const load = startLoad(world, seeded(seed).fork())
  await untilSqlJobRuns(world)
  const faults = await doAll(steps, world, timeline)
  const unrest = [...faults.failed]
  await load.stop()
  timeline.say(`the faults are over, ${load.tasks.length} tasks were handed in`)

  const jobs = dueTicks(firstTick, Date.now())
  await untilTicked(world, jobs, faults.done)
  world.configure(false)
  for (const node of world.nodes) await attempt(unrest, () => node.reload())
  // A row that taskd is writing at the moment may cost a deadlock, as any application knows.
  const ended = () => world.tables.setValid(SQL_JOB, false).then(() => true)
  await attempt(unrest, () => waitFor(ended, { what: 'the row of the SQL job is made invalid' }))
  unrest.push(...(await rest(world, REST_MS)))
  timeline.say('at rest')
  await watch.stop()

  const verdicts = await readVerdicts(world.redis)
  const tables = {
    failRows: await world.tables.failLog(),
    executeRows: await world.tables.executeTask(),
    sourceRows: await world.tables.sourceRows(),
  }
  await Promise.all(world.nodes.map(node => attempt(unrest, () => node.stop())))
  const history: History = {
    tasks: load.tasks,
    runs: readLedger(join(world.dir, 'ledger')),
    faults: faults.done,
    verdicts,
    ...tables,
    committedRows: load.rows,
    jobs,
    wallLessUptime: wallLessUptime(),
    pauses: load.pauses,
    looks: watch.looks,
    left: leftOf(world),
    unrest: [...unrest, ...world.deaths],
  }
  const violations = check(history)
  timeline.say(`${history.runs.length} runs, ${violations.length} violations`)
  const folder = violations.length > 0 ? keepArtefacts(world, options, history, timeline) : ''
  return { history, violations, folder }
}

/** From then on everything of the load is under way. */
async function untilSqlJobRuns(world: World): Promise<void> {
  const ran = () => readLedger(join(world.dir, 'ledger')).some(run => run.how.startsWith('row:'))
  await waitFor(ran, { timeoutMs: 120_000, what: 'a function runs' })
}

/** Does the faults at their times; one that cannot be done is told, and the others go on. */
async function doAll(steps: readonly Step[], world: World, timeline: Timeline) {
  const done: Fault[] = []
  const failed: string[] = []
  const begun = performance.now()
  const one = async (step: Step, kind: FaultKind) => {
    await delay(Math.max(0, step.atMs - (performance.now() - begun)))
    timeline.say(`${step.fault} begins, ${step.forMs} ms`)
    try {
      const drawn = { node: world.node(step.node), ms: step.forMs, pick: step.pick }
      const fault = await doFault(kind, world, drawn)
      done.push(fault)
      timeline.say(`${step.fault} over: ${fault.what}`)
    } catch (error) {
      failed.push(`${step.fault} on ${step.node}: ${messageOf(error)}`)
      timeline.say(`${step.fault} failed: ${messageOf(error)}`)
    }
  }
  /** The end of the last fault that touches a thing: on a slow machine one takes longer than planned. */
  const last = new Map<string, Promise<unknown>>()
  const all = steps.map(step => {
    const kind = FAULTS.find(other => other.name === step.fault)
    if (!kind) throw new Error(`no fault ${step.fault}`)
    const touched = kind.touches(step.node)
    const free = Promise.all(touched.map(thing => last.get(thing) ?? Promise.resolve()))
    const over = free.then(() => one(step, kind))
    for (const thing of touched) last.set(thing, over)
    return over
  })
  await Promise.all(all)
  return { done, failed }
}

/** The ticks of the jobs from one moment to another, ms. */
function dueTicks(from: number, to: number): TickingJob[] {
  return JOBS.map(({ name, every, how, retries }) => {
    const due: number[] = []
    const step = every * 1000
    for (let at = Math.ceil(from / step) * step; at < to; at += step) due.push(at)
    return { name, due, how, retries }
  })
}

/**
 * Resolves when each tick has begun, or when none has for too long (those of an outage of 400 s take their
 * time); the checker tells which is missing.
 */
async function untilTicked(
  world: World,
  jobs: readonly TickingJob[],
  faults: readonly Fault[],
): Promise<void> {
  let least = Number.POSITIVE_INFINITY
  let moved = performance.now()
  const all = () => {
    const runs = readLedger(join(world.dir, 'ledger'))
    const left = ticks({ jobs, faults, runs, wallLessUptime: wallLessUptime() }).length
    if (left < least) moved = performance.now()
    least = Math.min(least, left)
    return left === 0 || performance.now() - moved > TICKS_MS
  }
  const timeoutMs = 10 * TICKS_MS
  await waitFor(all, { timeoutMs, what: 'all ticks have run' }).catch(() => undefined)
}

const wallLessUptime = () => Date.now() / 1000 - uptime()

async function attempt(unrest: string[], act: () => Promise<unknown>): Promise<void> {
  try {
    await act()
  } catch (error) {
    unrest.push(messageOf(error))
  }
}

/** What is still there although every node was stopped in order. */
function leftOf(world: World): string[] {
  return world.nodes.flatMap(({ name, daemon }) => [
    ...daemon.processes().map(({ pid, command }) => `${name}: process ${pid} ${command}`),
    ...['taskd.sock', 'taskd.pid']
      .filter(file => existsSync(join(daemon.dataDir, file)))
      .map(file => `${name}: ${file}`),
  ])
}
