/** What is remembered of a job between ticks and daemons, shared by all nodes. Times in ms. */
export interface CronState {
  /** The last tick that was dealt with; undefined for a job never seen before. */
  readonly cursor: number | undefined
  /**
   * How often the cursor was set by hand. A result that was worked out before the last time cannot
   * move it.
   */
  readonly era: number
  /**
   * How often the clock was set back while the cursor stood: goes into the ids of ticks that come
   * again.
   */
  readonly pass: number
  /** While ticks up to the cursor come again: the last of them that was dealt with. */
  readonly again: number | undefined
  /** The start of an interval's steps after the clock was set back; otherwise they start in 1970. */
  readonly anchor: number | undefined
  /** The schedule that the cursor belongs to. */
  readonly spec: string
  /** The newest task the job made, its tick, and its own verdict: '' until it has one. */
  readonly lastId: string
  readonly lastAt: number | undefined
  readonly lastCode: string
  /** The same of the newest run that a person asked for. */
  readonly runId: string
  readonly runAt: number | undefined
  readonly runCode: string
  /** Failures in a row. */
  readonly failures: number
  /** Why it is paused; '' when it is not. */
  readonly paused: string
}

/** Ticks that come again: those after `from`, up to `to`, by this schedule. */
export interface Pass {
  readonly from: number
  readonly to: number
  readonly spec: string
  /** The start of an interval's steps from now on. */
  readonly anchor: number | undefined
}

/** The final verdict on a task of a job. */
export interface JobVerdict {
  /** `unique_task_id` */
  readonly id: string
  readonly code: string
  /** Undefined for a run that the schedule ended: it is neither a success nor a failure. */
  readonly succeeded: boolean | undefined
  /** ms */
  readonly at: number
}

/** The last that was seen of a job, on whichever node. */
export interface JobSign {
  /** When a run of it last came to a final verdict, ms. */
  readonly end: number | undefined
  readonly succeeded: boolean
  readonly lastId: string
  /** Why it is paused; '' when it is not. */
  readonly paused: string
}
