import { isDeepStrictEqual } from 'node:util'
import type { CronState } from '../model/cron-state.ts'
import type { Job } from '../model/job.ts'
import type { Stood } from './standing.ts'

/** What the ticker knows of a job. */
export interface Entry {
  readonly job: Job
  /** When it wants to be looked at next, ms; Infinity = never. */
  next: number
  /** The tick that waits for the run before it (overlap = queue). */
  held: number | undefined
  /** It is being dealt with. */
  busy: boolean
  /** The run that its tick may wait for has ended meanwhile. */
  released: boolean
  /** The newest task it made, as far as this node knows. */
  lastId: string
  /** What was read just before the tick, so that nothing has to be read at the tick. */
  prepared: Prepared | undefined
  /** Until it is placed: where a job without a cursor begins; by default now. */
  since: number | undefined
  /** Its standing when that was last read. */
  stood: Stood | undefined
  /** Until it is placed: the clock was set back. */
  setBack: SetBack | undefined
}

/** This node's clock was set back, by its monotonic time. */
export interface SetBack {
  /** ms */
  readonly by: number
  /** What the clock, as it is now, would have shown at the last look. */
  readonly to: number
}

export interface Prepared {
  readonly at: number
  readonly state: CronState
  readonly open: boolean
}

/** An entry that is due at once: dealing with it first reads its cursor. */
export function freshEntry(job: Job, since?: number): Entry {
  return {
    job,
    next: Number.NEGATIVE_INFINITY,
    held: undefined,
    busy: false,
    released: false,
    lastId: '',
    prepared: undefined,
    since,
    stood: undefined,
    setBack: undefined,
  }
}

/** An entry for each job; those of jobs that are the same as before stay, with all that is known. */
export function entriesFor(
  jobs: readonly Job[],
  before: ReadonlyMap<string, Entry>,
): Map<string, Entry> {
  const entries = new Map<string, Entry>()
  for (const job of jobs) {
    const entry = before.get(job.name)
    const same = entry !== undefined && isSame(entry.job, job)
    entries.set(job.name, same ? entry : freshEntry(job, job.since))
  }
  return entries
}

/** By value: a reload makes every job anew. */
function isSame(a: Job, b: Job): boolean {
  return a === b || isDeepStrictEqual({ ...a, since: 0 }, { ...b, since: 0 })
}
