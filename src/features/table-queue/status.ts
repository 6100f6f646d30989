/** A table queue, as `taskd status --json` shows it. */
export interface SourceStatus {
  readonly name: string
  readonly table: string
  /** Where, without the password. */
  readonly database: string
  readonly task_key: string
  /** null until its table was looked at: first the daemon has to be ready. */
  readonly ok: boolean | null
  /** What is wrong, in words; '' when nothing is. */
  readonly error: string
  /** Since when it is as it is, ISO 8601. */
  readonly since: string
  /** Its queue is full: no more rows are taken for now; null when Redis does not tell. */
  readonly full: boolean | null
  /**
   * Rows of all nodes that are tasks now; and those that are over, which the table does not say yet.
   * null when Redis does not tell.
   */
  readonly open: number | null
  readonly backlog: number | null
  /** Since the start, by this node: rows that became tasks, that could not, and verdicts written. */
  readonly taken: number
  readonly bad: number
  readonly written: number
}
