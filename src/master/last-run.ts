import type { LastRunStatus } from '../api/last-run-status.ts'
import type { CronState } from '../model/cron-state.ts'
import type { Job } from '../model/job.ts'
import { formatInstant } from '../schedule/format.ts'
import { type KnownTasksDeps, specOfQueue } from './known-tasks.ts'

/** For a job that has had no run. */
export const NO_RUN: LastRunStatus = {
  last: null,
  last_id: '',
  last_code: '',
  last_state: '',
  last_since: null,
  last_by: '',
}

/** For a job whose state Redis has not told. */
export const UNKNOWN_RUN: LastRunStatus = { ...NO_RUN, last_state: 'unknown' }

/**
 * The newest run of a job, by its schedule or by hand, with its own verdict, or with how far it is.
 * @param state undefined when Redis has not told it
 */
export async function lastRun(
  deps: KnownTasksDeps,
  job: Pick<Job, 'timezone' | 'task'>,
  state: CronState | undefined,
): Promise<LastRunStatus> {
  if (state === undefined) return UNKNOWN_RUN
  const { runAt, runId, runCode, lastAt, lastId, lastCode } = state
  if (runAt !== undefined && runAt >= (lastAt ?? runAt)) {
    const run = await statusOf(deps, job, runAt, runId, runCode)
    // It was asked for but never reached its queue.
    if (run.last_state !== 'unknown') return { ...run, last_by: 'hand' }
  }
  if (lastAt === undefined) return NO_RUN
  return { ...(await statusOf(deps, job, lastAt, lastId, lastCode)), last_by: 'schedule' }
}

async function statusOf(
  deps: KnownTasksDeps,
  { timezone, task }: Pick<Job, 'timezone' | 'task'>,
  at: number,
  id: string,
  code: string,
): Promise<Omit<LastRunStatus, 'last_by'>> {
  const iso = (instant: number) => formatInstant(instant, timezone)
  const shown = { last: iso(at), last_id: id, last_code: code, last_since: null }
  if (code !== '') return { ...shown, last_state: 'ended' }
  const isPull = specOfQueue(deps.config.current, task.taskKey)?.mode === 'pull'
  const asked = isPull
    ? deps.feed.progress(task.taskKey, id)
    : deps.queues.progress(task.taskKey, id)
  // If Redis does not answer, it is unknown.
  const now = await asked.catch(() => undefined)
  switch (now?.state) {
    case 'running':
      return { ...shown, last_state: 'running', last_since: now.since ? iso(now.since) : null }
    case 'waiting':
      return { ...shown, last_state: 'waiting' }
    case 'ended':
      return { ...shown, last_state: 'ended', last_code: now.code }
    case 'unknown':
    case undefined:
      return { ...shown, last_state: 'unknown' }
  }
}
