import type { CursorChange, CursorReport, SetCursorRequest } from '../api/schedule-port.ts'
import type { Clock } from '../lib/clock.ts'
import { count as counted } from '../lib/count.ts'
import { TaskdError } from '../lib/errors.ts'
import type { CronState } from '../model/cron-state.ts'
import type { Job } from '../model/job.ts'
import type { CronStore } from '../queue/cron-store.ts'
import { formatInstant } from '../schedule/format.ts'
import { type CatchUp, catchUp } from '../schedule/misfire.ts'
import { nextAfter } from '../schedule/next-times.ts'
import { comingTick, standingOf } from '../schedule/standing.ts'
import { specOf, tickId } from '../schedule/ticks.ts'
import { instantOf, type JobsByName, requireJob } from './find-job.ts'
import { type KnownTasksDeps, knownTasks } from './known-tasks.ts'
import { lastRun } from './last-run.ts'

export interface CursorDeps extends KnownTasksDeps, JobsByName {
  readonly cron: CronStore
  readonly clock: Clock
  /** Tells the schedule of every node to read the cursor anew. */
  readonly orderReread: (job: string) => Promise<void>
}

export async function readCursor(deps: CursorDeps, name: string): Promise<CursorReport> {
  const job = await requireJob(deps, name)
  return report(deps, job, await deps.cron.read(name), null)
}

/** From there on the job's own rules for missed ticks apply, as after an outage. */
export async function setCursor(
  deps: CursorDeps,
  name: string,
  { to, dry_run }: SetCursorRequest,
): Promise<CursorReport> {
  const { cron, clock } = deps
  const job = await requireJob(deps, name)
  if (job.trigger.kind === 'reboot')
    throw new TaskdError(
      'E_BAD_REQUEST',
      `${name} runs at boot and has no cursor`,
      `taskd run ${name} runs it now`,
    )
  const cursor = instantOf(to, job, '--set')
  const now = clock.now()
  if (cursor > now)
    throw new TaskdError(
      'E_BAD_REQUEST',
      `--set ${formatInstant(cursor, job.timezone)} is still to come`,
      `to hold ${name} for a while: taskd pause ${name}`,
    )
  const state = await cron.read(name)
  const change = await changeOf(deps, job, state, cursor, now, dry_run)
  if (dry_run) return report(deps, job, state, change)
  const held = pausedWhy(job, state)
  if (held !== '' && change.missed > 0)
    throw new TaskdError(
      'E_BAD_STATE',
      `${name} is ${held}: the ticks would pass without a run`,
      `first taskd resume ${name}`,
    )
  await cron.setCursor(name, cursor, specOf(job))
  await deps.orderReread(name)
  return report(deps, job, { ...state, cursor, again: undefined }, change)
}

async function changeOf(
  deps: CursorDeps,
  job: Job,
  state: CronState,
  cursor: number,
  now: number,
  dry_run: boolean,
): Promise<CursorChange> {
  const { misfire, misfireGraceMs, maxBackfill, trigger, timezone } = job
  const next = (after: number) => nextAfter(trigger, timezone, after)
  const due = catchUp({ cursor, now, misfire, misfireGraceMs, maxBackfill, next })
  const ids = due.run.map(tick => tickId(job.name, tick))
  const known = await knownTasks(deps, job.task.taskKey, ids)
  return {
    cursor: formatInstant(cursor, timezone),
    dry_run,
    missed: due.run.length + due.skipped,
    missed_more: due.skippedMore,
    runs: due.run.map((tick, n) => ({
      at: formatInstant(tick, timezone),
      unique_task_id: ids[n] ?? '',
      known: known[n] === true,
    })),
    words: wordsOf(job, state, due, known.filter(Boolean).length),
  }
}

function wordsOf(job: Job, state: CronState, due: CatchUp, known: number): string[] {
  const { misfire, maxBackfill, overlap, name } = job
  const runs = due.run.length
  const missed = runs + due.skipped
  if (missed === 0) return ['no tick lies between it and now: nothing is made up for']
  const limit = misfire === 'all' ? `, max_backfill = ${maxBackfill}` : ''
  const more = due.skippedMore ? 'more than ' : ''
  const words = [
    `${more}${missed} ${missed === 1 ? 'tick lies' : 'ticks lie'} between it and now`,
    `misfire = ${misfire}${limit}: ${count(runs)}, ${more}${due.skipped} ${due.skipped === 1 ? 'passes' : 'pass'} without a run`,
  ]
  if (known > 0)
    words.push(
      `of those that run, ${known} ${known === 1 ? 'is' : 'are'} remembered and will not run again (taskd backfill ${name} --again runs all)`,
    )
  if (runs > 1 && overlap === 'skip')
    words.push('overlap = skip: those that come while one is running pass without a run')
  if (runs > 1 && overlap === 'replace')
    words.push('overlap = replace: each ends the one before it')
  if (!job.enabled) words.push(`it has ${offOf(job)}: all this waits until it is enabled`)
  const paused = pausedWhy(job, state)
  if (paused !== '') words.push(`it is ${paused}: its ticks pass without a run until it is resumed`)
  return words
}

function count(runs: number): string {
  return runs === 1 ? '1 runs' : `${runs} run`
}

/** How a job is switched off where it is written. */
function offOf({ task }: Job): string {
  return task.rowId === undefined ? 'enabled = false' : 'is_valid = 0'
}

/** Why the schedule would find the job paused at its next tick. */
function pausedWhy(job: Job, { paused, failures }: CronState): string {
  if (paused !== '') return paused
  if (job.pauseOnFailures === 0 || failures < job.pauseOnFailures) return ''
  return `paused after ${counted(failures, 'failure')} in a row`
}

async function report(
  deps: CursorDeps,
  job: Job,
  state: CronState,
  set: CursorChange | null,
): Promise<CursorReport> {
  const now = deps.clock.now()
  const iso = (at: number | undefined) =>
    at === undefined ? null : formatInstant(at, job.timezone)
  const held = job.enabled ? pausedWhy(job, state) : offOf(job)
  const standing = standingOf(state, now)
  return {
    job: job.name,
    task_key: job.task.taskKey,
    cursor: iso(standing?.reached),
    next: held === '' ? iso(comingTick(job, standing, now)) : null,
    ...(await lastRun(deps, job, state)),
    failures: state.failures,
    held,
    set,
  }
}
