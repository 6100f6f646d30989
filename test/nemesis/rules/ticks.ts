import type { Violation } from '../checker.ts'
import { firstShown, type SetBack, setBacksOf } from '../clock.ts'
import { faultsDuring } from '../facts.ts'
import type { Fault, History, TickingJob } from '../history.ts'
import type { Run } from '../ledger.ts'

/**
 * Every tick that was due has its run, and no run is of a tick that was not. When the clock was set back,
 * the ticks of its times come again, once for each time.
 */
export const ticks = ({ jobs, faults, runs, wallLessUptime }: TicksHistory): Violation[] =>
  jobs.flatMap(job => {
    const own = runs.flatMap(run => tickOf(job.name, run))
    return [...missing(job, own, faults, wallLessUptime), ...odd(job, own, faults, wallLessUptime)]
  })

/** As much of a history as this rule needs. */
export type TicksHistory = Pick<History, 'jobs' | 'faults' | 'runs' | 'wallLessUptime'>

/** A run of a job's tick. */
export interface TickRun {
  readonly run: Run
  /** The tick, ms since 1970. */
  readonly at: number
  /** In which pass of set back time the tick came again; 0 for none. */
  readonly pass: number
}

/** The tick that a run is of; none when it is of no tick of this job. */
export function tickOf(job: string, run: Run): TickRun[] {
  const prefix = `cron-${job}-`
  if (!run.id.startsWith(prefix)) return []
  const found = /^(\d+)(?:-again-clock(\d+))?$/.exec(run.id.slice(prefix.length))
  return [{ run, at: Number(found?.[1] ?? Number.NaN), pass: Number(found?.[2] ?? 0) }]
}

/** By how much less or more than its pace a job may count a step of the clock, s. */
const ABOUT = 0.5
/** A step as long as this counts for every job, s. */
const LONG_STEP = 60
/** A tick that comes again this short before the clock has caught up with itself, or is set once more, may pass. */
const LATE = 5

function missing(
  { name, due }: TickingJob,
  own: readonly TickRun[],
  faults: readonly Fault[],
  wallLessUptime: number,
): Violation[] {
  const first = new Set(own.filter(one => one.pass === 0).map(one => one.at))
  const counts = Math.min(LONG_STEP, paceOf(due)) + ABOUT
  return due.flatMap(at => {
    const time = at / 1000 - wallLessUptime
    const text = `the tick of ${name} at ${new Date(at).toISOString()} (uptime ${time.toFixed(2)})`
    const found = (what: string, moment: number) => [
      { rule: 'tick', what: `${text} ${what}`, evidence: faultsDuring(faults, moment, moment) },
    ]
    if (!first.has(at)) return found('never ran', firstShown(faults, time))
    const silent = setBacksOf(faults, time).find(
      back =>
        back.by >= counts &&
        mustComeAgain(back, faults) &&
        !own.some(one => isSince(back, at, one)),
    )
    return silent ? found(`did not run after the clock was set back at ${silent.from}`, time) : []
  })
}

/** In time to be dealt with, and while Redis was there. */
function mustComeAgain({ from, at, until }: SetBack, faults: readonly Fault[]): boolean {
  if (at === undefined || until - at < LATE) return false
  return !faults.some(
    ({ away }) =>
      away.filter(one => one.part === 'redis' && one.to >= from - LATE && one.from <= until)
        .length > 1,
  )
}

/** It may be the first run of a tick that had not been dealt with when the clock was set back. */
const isSince = ({ from }: SetBack, at: number, one: TickRun) =>
  one.at === at && one.run.begin >= from - ABOUT

function odd(
  { name, due }: TickingJob,
  own: readonly TickRun[],
  faults: readonly Fault[],
  wallLessUptime: number,
): Violation[] {
  const pace = paceOf(due)
  const first = due[0] ?? 0
  const known = new Set(due)
  const again = new Map<number, Set<string>>()
  const none = new Set<string>()
  for (const { run, at, pass } of own) {
    // Those before the first and after the last that are due are not looked at, but for their time.
    if (!known.has(at) && ((at - first) / 1000) % pace !== 0) none.add(run.id)
    else if (pass > 0) again.set(at, (again.get(at) ?? new Set()).add(run.id))
  }
  const least = Math.min(LONG_STEP, pace) - ABOUT
  return [
    ...[...none].map(id => ({
      rule: 'tick',
      what: `${id} is no tick of its schedule`,
      evidence: [],
    })),
    ...[...again].flatMap(([at, ids]) => {
      const time = at / 1000 - wallLessUptime
      const times = setBacksOf(faults, time).filter(back => back.by >= least).length
      if (ids.size <= times) return []
      const what = `the clock was set back over a tick of ${name} ${times} times: ${[...ids].join(', ')}`
      return [{ rule: 'tick', what, evidence: faultsDuring(faults, time, time) }]
    }),
  ]
}

/** s */
const paceOf = (due: readonly number[]) => ((due[1] ?? 0) - (due[0] ?? 0)) / 1000
