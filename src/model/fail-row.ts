/**
 * One failed run, with the names and spellings that the `Task:Fail:*` hash and the table
 * `fail_log` have. Times are ISO 8601 with milliseconds and offset.
 */
export interface FailRow {
  readonly worker_id: string
  readonly task_key: string
  readonly start_runtime: string
  readonly end_runtime: string
  readonly script: string
  readonly controller: string
  readonly function: string
  readonly param: string
  /** The same over all attempts; with `attempt` it names the run. */
  readonly unique_task_id: string
  readonly node: string
  /** '' for a task that was handed in. */
  readonly job: string
  /** From 1. */
  readonly attempt: number
  /** Why it failed (a `FailKind`). */
  readonly kind: string
  readonly code: string
  readonly msg: string
  readonly exit_code: number | null
  /** '' when no signal ended it. */
  readonly signal: string
  /** The last part of what it wrote. */
  readonly output: string
}
