/** Which run a row of `execute_task` stands for; as JSON in its `extra` while it is doing. */
export interface RunIdentity {
  readonly unique_task_id: string
  readonly attempt: number
  readonly worker_id: string
  readonly node: string
}

export interface RunEnd {
  /** Of the row of `execute_task`. */
  readonly id: number
  readonly status: 'succ' | 'fail'
  /** JSON: the answer of the run. */
  readonly extra: string
}

export interface DoingRow {
  readonly id: number
  readonly task_id: number
  /** JSON of its RunIdentity, or whatever somebody else wrote. */
  readonly extra: string
  /** By the database's own clock. */
  readonly ageMs: number
}

export interface RunRow {
  readonly id: number
  readonly task_id: number
  readonly status: string
  readonly extra: string
  /** ISO 8601 with offset. */
  readonly create_at: string
  readonly update_at: string
}

export interface RunHistoryQuery {
  readonly taskId?: number
  readonly limit: number
}

/** The table `execute_task`: one row for each run of a row of `task`. */
export interface RunRows {
  /**
   * Inserts a row that is `doing`, and sets the status of its task to `doing`. The same task id and
   * attempt once more get the row that they have, as long as it is doing; so it may be repeated.
   * @returns the row's id, which a function knows as `sub_task_id`
   */
  begin(taskId: number, identity: RunIdentity): Promise<number>
  /**
   * Ends rows, and sets the status of their tasks to `ready` where none of their rows is doing any
   * more. A row that is ended already stays as it is, so all of it may be repeated.
   */
  end(ends: readonly RunEnd[]): Promise<void>
  /**
   * Sets the status of tasks to `ready` that are `doing` without a row that is: what others left
   * behind. @returns how many it found
   */
  mend(): Promise<number>
  /** The oldest first. */
  doing(): Promise<readonly DoingRow[]>
  /** The newest first. */
  history(query: RunHistoryQuery): Promise<readonly RunRow[]>
}
