import type { FailKind } from './run-result.ts'

/** One run in the history that `taskd runs` shows. */
export interface RunRecord {
  readonly unique_task_id: string
  readonly job: string
  readonly task_key: string
  readonly attempt: number
  readonly worker_id: string
  readonly node: string
  /** ISO 8601 with milliseconds and offset. */
  readonly start_runtime: string
  readonly end_runtime: string
  readonly duration_ms: number
  /**
   * `returned`: ended by taskd itself when it stopped, and given back to its queue. `replaced`: ended
   * by the next tick of its job (`overlap = replace`), which is no failure.
   */
  readonly outcome: 'succ' | 'fail' | 'other' | 'returned' | 'replaced'
  /** '' when it succeeded or was given back. */
  readonly kind: FailKind | ''
  readonly code: string
  /** Why it did not succeed; '' when it did. */
  readonly msg: string
  readonly exit_code: number | null
  readonly signal: string
  /** The memory of its largest process, bytes; null where it is not known. */
  readonly peak_memory: number | null
  /** The last 1 KiB of what it wrote. */
  readonly output: string
}
