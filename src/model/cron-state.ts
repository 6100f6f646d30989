/** What is remembered of a job between ticks and daemons, shared by all nodes. Times in ms. */
export interface CronState {
  /** The last tick that was dealt with; undefined for a job never seen before. */
  readonly cursor: number | undefined
  /** How often the cursor was set by hand: what was worked out before that moves it no more. */
  readonly era: number
  /** The schedule that the cursor belongs to. */
  readonly spec: string
  /** The newest task the job made, and its tick. */
  readonly lastId: string
  readonly lastAt: number | undefined
  readonly lastCode: string
  /** Failures in a row. */
  readonly failures: number
  /** Why it is paused; '' when it is not. */
  readonly paused: string
}
