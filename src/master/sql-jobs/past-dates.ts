import type { Job } from '../../model/job.ts'
import type { CronStore } from '../../queue/cron-store.ts'
import { nextAfter } from '../../schedule/next-times.ts'
import { specOf } from '../../schedule/ticks.ts'
import type { RunRows } from '../../store/run-rows.ts'
import type { RosterEntry } from './roster.ts'

export interface PastDateDeps {
  readonly cron: Pick<CronStore, 'readMany'>
  readonly runRows: Pick<RunRows, 'history'>
}

/** A job as the ticker takes it, or why there is none. */
export type Settled = Job | string

/** More than any zone differs from UTC. */
const FAR_MS = 4 * 86_400_000
/** Rows are stamped with whole seconds. */
const STAMP_MS = 1000

/** The instant of a job that runs once; undefined for any other. */
export function dateOf({ trigger, timezone }: Job): number | undefined {
  if (trigger.kind !== 'date') return undefined
  const around = Date.parse(`${trigger.wallTime.replace(' ', 'T')}Z`)
  return nextAfter(trigger, timezone, around - FAR_MS)
}

/**
 * What is done with a past date when its row is first seen:
 * - it is known, or has run: nothing more
 * - the row was there in time: it was missed, which is for the rules of missed ticks
 * - the row came too late: a mistake, for it would never run
 */
export async function settlePastDates(
  entries: readonly (RosterEntry & { readonly job: Job })[],
  deps: PastDateDeps,
): Promise<Map<Job, Settled>> {
  const settled = new Map<Job, Settled>()
  if (entries.length === 0) return settled
  const states = await deps.cron.readMany(entries.map(({ job }) => job.name))
  for (const [index, entry] of entries.entries()) {
    const { job, writtenAt, taken } = entry
    const state = states[index]
    const at = dateOf(job) ?? Number.POSITIVE_INFINITY
    const known = state?.cursor !== undefined && state.spec === specOf(job)
    if (known || (await hasRun(taken.id, at, deps))) settled.set(job, job)
    else if (writtenAt - STAMP_MS <= at + job.misfireGraceMs)
      settled.set(job, Object.freeze({ ...job, since: at - 1 }))
    else settled.set(job, `spec = ${taken.spec.trim()}: lies in the past. write a date to come`)
  }
  return settled
}

async function hasRun(taskId: number, at: number, { runRows }: PastDateDeps): Promise<boolean> {
  const [newest] = await runRows.history({ taskId, limit: 1 })
  return newest !== undefined && Date.parse(newest.create_at) >= at - STAMP_MS
}
