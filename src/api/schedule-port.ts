import type { LastRunStatus } from './last-run-status.ts'

export const MAX_BACKFILL = 100_000
/** More than this at once takes an explicit limit. */
export const USUAL_BACKFILL = 1000

/** What people do with the ticks of a job: a part of the Control port. */
export interface ScheduleControl {
  /**
   * Makes the tasks of past ticks, under the ids that the schedule gives them: a tick
   * whose task is still remembered makes none. Ends between two batches when `signal` aborts.
   * @throws TaskdError E_NO_JOB, E_BAD_REQUEST, E_FULL
   */
  backfill(request: BackfillRequest, signal: AbortSignal): Promise<Backfilled>
  /** Where a job stands. @throws TaskdError E_NO_JOB */
  cursor(job: string): Promise<CursorReport>
  /**
   * Sets a job's cursor, on all nodes: what lies between it and now counts as missed.
   * @throws TaskdError E_NO_JOB, E_BAD_REQUEST, E_BAD_STATE
   */
  setCursor(job: string, request: SetCursorRequest): Promise<CursorReport>
}

/** Times as people write them: with an offset, or by the clock of the job's own zone. */
export interface BackfillRequest {
  readonly job: string
  readonly from: string
  /** '' for now. Ticks at both ends count. */
  readonly to: string
  /** Only says what it would do. */
  readonly dry_run: boolean
  /** More ticks than this are refused. */
  readonly limit: number
  /** Runs every tick, under ids of its own that end in this word; '' for those of the schedule. */
  readonly again: string
}

export interface Backfilled {
  readonly job: string
  readonly task_key: string
  /** ISO 8601 with the zone's offset, as all times here. */
  readonly from: string
  readonly to: string
  readonly dry_run: boolean
  readonly again: string
  /** Ticks in all, how many of them had a task already, and how many have got one now. */
  readonly count: number
  readonly known: number
  readonly made: number
  /** Of a dry run. */
  readonly ticks: readonly BackfillTick[]
}

export interface BackfillTick {
  readonly at: string
  readonly unique_task_id: string
  /** It has a task, which waits, runs or is over and still remembered. */
  readonly known: boolean
  /** What a clock change did to it. */
  readonly note: string
}

export interface SetCursorRequest {
  readonly to: string
  readonly dry_run: boolean
}

export interface CursorReport extends LastRunStatus {
  readonly job: string
  readonly task_key: string
  /** Every tick up to it was dealt with; null for a job that never ticked. */
  readonly cursor: string | null
  readonly next: string | null
  readonly failures: number
  /** Why it does not fire; '' when it does. */
  readonly held: string
  /** When it was set, or would be. */
  readonly set: CursorChange | null
}

export interface CursorChange {
  readonly cursor: string
  readonly dry_run: boolean
  /** Ticks between it and now; `missed_more` when there are more, and counting was given up. */
  readonly missed: number
  readonly missed_more: boolean
  /** Those that run, by the job's own `misfire` and `max_backfill`. */
  readonly runs: readonly Omit<BackfillTick, 'note'>[]
  /** What happens, in words. */
  readonly words: readonly string[]
}
