import type { LastRunStatus } from './last-run-status.ts'

/** What the API may ask about jobs in SQL: the rows of the table `task`. */
export interface SqlJobsPort {
  /** All rows, by id. @throws TaskdError E_DATABASE_AWAY */
  listSqlJobs(): Promise<readonly SqlJob[]>
  /** @throws TaskdError E_BAD_ROW in the words of `taskd check`, E_TASK_EXISTS, E_DATABASE_AWAY */
  addSqlJob(row: NewSqlJob): Promise<SqlJobDone>
  /**
   * Takes effect at once, on all nodes.
   * @throws TaskdError E_NO_ROW, E_BAD_ROW, E_DATABASE_AWAY
   */
  changeSqlJob(change: SqlJobChange): Promise<SqlJobDone>
  /** Runs as rows of `execute_task`, the newest first. @throws TaskdError E_NO_ROW, E_DATABASE_AWAY */
  sqlJobHistory(query: SqlHistoryQuery): Promise<readonly SqlRun[]>
}

export interface NewSqlJob {
  readonly task_key: string
  readonly execute_func: string
  readonly trigger: string
  readonly spec: string
  readonly args: string
  readonly is_valid: boolean
}

export interface SqlJob extends NewSqlJob, LastRunStatus {
  readonly id: number
  /** Columns whose change waits until `is_valid` was 0 and is 1 again; what is shown is in force. */
  readonly waits: readonly string[]
  /** Of its job: `task:<task_key>`. */
  readonly name: string
  /** `ready`, or `doing` while it runs. */
  readonly status: string
  /** Why it does not run, in words; '' when nothing is wrong. */
  readonly problem: string
  /** Why it is paused; '' when it is not; null when that is not known. */
  readonly held: string | null
  /** ISO 8601 with the zone's offset, or null when it never fires (again), or that is not known. */
  readonly next: string | null
  /** As in `JobStatus`. */
  readonly as_of?: string | undefined
}

export interface SqlJobChange {
  readonly task_key: string
  readonly is_valid?: boolean
  readonly spec?: string
}

export interface SqlJobDone {
  readonly task_key: string
  readonly name: string
  readonly is_valid: boolean
  readonly next: string | null
}

export interface SqlHistoryQuery {
  readonly limit: number
  readonly task_key?: string
}

export interface SqlRun {
  /** `sub_task_id` of the function. */
  readonly id: number
  readonly task_id: number
  /** '' when its row is gone. */
  readonly task_key: string
  /** `doing`, `succ` or `fail`. */
  readonly status: string
  /** JSON: the answer. */
  readonly extra: string
  readonly create_at: string
  readonly update_at: string
}

/** How the table of jobs is, as part of the daemon's status. */
export interface SqlJobsStatus {
  /** Whether it could be read when it was last looked at. */
  readonly ok: boolean
  readonly error: string
  /** ISO 8601. */
  readonly since: string
  /** Rows that can be run. */
  readonly count: number
  /** Valid rows that cannot. */
  readonly bad: number
}
