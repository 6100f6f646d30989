/** A row of `task`: a job that somebody keeps in SQL. */
export interface TaskRow {
  readonly id: number
  readonly task_key: string
  readonly execute_func: string
  readonly trigger: string
  readonly spec: string
  readonly args: string
  readonly is_valid: boolean
  readonly status: string
  readonly extra: string
  /** Since its last change by the database's own clock, ms; so that clocks may differ. */
  readonly ageMs: number
}

export interface TaskChanges {
  readonly changed: readonly TaskRow[]
  /** The ids of the rows that are not there any more. */
  readonly gone: readonly number[]
}

/** What a new row says; the rest has its defaults. */
export type NewTaskRow = Pick<
  TaskRow,
  'task_key' | 'execute_func' | 'trigger' | 'spec' | 'args' | 'is_valid'
>

/** What may be changed of a live row. */
export interface TaskRowChange {
  readonly is_valid?: boolean
  readonly spec?: string
}

/** The table `task`, which anybody may write to by plain SQL. */
export interface TaskTable {
  /**
   * What changed since the last call of this object; the first call gives all rows. A change of
   * `status`, `extra` or `update_at` alone is not reported. After an exception the next call reports
   * what this one would have.
   */
  poll(): Promise<TaskChanges>
  /** All rows, by id. */
  list(): Promise<readonly TaskRow[]>
  /** The first row of that key. */
  find(taskKey: string): Promise<TaskRow | undefined>
  /** @returns its id. @throws TaskdError E_TASK_EXISTS, E_TASK_TOO_LONG, E_TASK_TEXT */
  add(row: NewTaskRow): Promise<number>
  /** Changes all rows of that key. @returns false when there is none. @throws as `add` does */
  change(taskKey: string, change: TaskRowChange): Promise<boolean>
  /** Puts `{"error": …}` into `extra`, or takes it away; the rest of `extra` stays. */
  noteProblem(id: number, problem: string | undefined): Promise<void>
}
