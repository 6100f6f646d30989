import type { CronState } from '../model/cron-state.ts'
import type { Job } from '../model/job.ts'
import { parseCron } from './cron.ts'
import { nextAfter } from './next-times.ts'

/**
 * Where a job stands when the clock was set back. Its cursor is ahead of the clock then, and the
 * ticks up to the cursor come again. By cronie's rule those of a job that follows the clock run
 * again; so do the steps of an interval, counted on from the last one. Fixed times wait for the
 * cursor. After a correction of the clock (by more than 3 hours) all of them run again.
 */
export interface Standing {
  /** The last tick that was dealt with. */
  readonly reached: number
  /** The pass in which ticks come again, up to `until`; 0 for none. */
  readonly pass: number
  readonly until: number
  /** Where the steps of an interval are counted from; undefined for 1970. */
  readonly anchor: number | undefined
}

type Scheduled = Pick<Job, 'trigger' | 'timezone'>

/** The part of a job's state that tells where it stands. */
export type Stood = Pick<CronState, 'cursor' | 'again' | 'pass' | 'anchor'>

/**
 * Undefined for a job that has no cursor.
 * @param joined the pass that whoever asks goes by; for one that does not, time beyond the cursor is
 *   no pass, but that of a node whose clock was never set back
 */
export function standingOf(
  { cursor, again, pass, anchor }: Stood,
  now: number,
  joined = 0,
): Standing | undefined {
  if (cursor === undefined) return undefined
  if (again === undefined || (now >= cursor && pass !== joined))
    return { reached: cursor, pass: 0, until: cursor, anchor }
  return { reached: again, pass, until: cursor, anchor }
}

/** The first tick strictly after an instant. */
export function nextTick(
  { trigger, timezone }: Scheduled,
  { anchor }: Pick<Standing, 'anchor'>,
  after: number,
): number | undefined {
  return nextAfter(trigger, timezone, after, anchor)
}

/** The next tick that will come, as things stand. */
export function comingTick(
  job: Scheduled,
  standing: Standing | undefined,
  now: number,
): number | undefined {
  if (standing === undefined) return nextAfter(job.trigger, job.timezone, now)
  return nextTick(job, standing, Math.max(standing.reached, now))
}

/** The pass in which this tick comes again, or 0. */
export function passOf({ pass, until }: Standing, tick: number): number {
  return tick <= until ? pass : 0
}

/** Whether its ticks run again when the clock shows their times again. */
export function followsClock({ trigger }: Scheduled): boolean {
  if (trigger.kind === 'interval') return true
  if (trigger.kind !== 'cron') return false
  const parsed = parseCron(trigger.expression)
  return 'cron' in parsed && parsed.cron.wild
}
