/** What is remembered of a job between ticks and daemons, shared by all nodes. Times in ms. */
export interface CronState {
  /** The last tick that was dealt with; undefined for a job never seen before. */
  readonly cursor: number | undefined
  /** How often the cursor was set by hand: what was worked out before that moves it no more. */
  readonly era: number
  /** How often the clock was set back while the cursor stood: goes into the ids of ticks that come again. */
  readonly pass: number
  /** While such ticks come again, up to the cursor: the last one that was dealt with. */
  readonly again: number | undefined
  /** Where the steps of an interval are counted from, since the clock was set back; else 1970. */
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
  /** Where the steps of an interval are counted from, from now on. */
  readonly anchor: number | undefined
}
