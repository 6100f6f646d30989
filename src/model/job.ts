/** When a job fires. Wall times are read in the job's time zone. */
export type Trigger =
  | { readonly kind: 'cron'; readonly expression: string }
  | { readonly kind: 'interval'; readonly everyMs: number }
  | { readonly kind: 'date'; readonly wallTime: string }
  | { readonly kind: 'reboot' }

export const OVERLAPS = ['skip', 'queue', 'replace', 'allow'] as const
export const MISFIRES = ['skip', 'once', 'all'] as const

/** An entry of cron.ini (or a row of the `task` table) that produces tasks on a schedule. */
export interface Job {
  readonly name: string
  readonly enabled: boolean
  readonly trigger: Trigger
  /** An IANA zone name. */
  readonly timezone: string
  /** What to do when the run before is not finished. */
  readonly overlap: (typeof OVERLAPS)[number]
  /** What to do with ticks that are later than `misfireGraceMs`. */
  readonly misfire: (typeof MISFIRES)[number]
  readonly misfireGraceMs: number
  /** At most this many missed ticks are made up for. */
  readonly maxBackfill: number
  /** Each tick is put off by a random time up to this, ms. */
  readonly jitterMs: number
  /** Pause after this many failures in a row; 0 = never. */
  readonly pauseOnFailures: number
  readonly task: TaskTemplate
}

/** What every task of a job has in common. */
export interface TaskTemplate {
  readonly taskKey: string
  readonly script: string
  readonly controller: string
  readonly function: string
  /** Handed on exactly as written. */
  readonly param: string
  readonly priority: number
  readonly maxRunTimeMs?: number
  /** Number of retries after the first run. */
  readonly retries: number
  /** Waits before the first, second, … retry, ms; the last repeats. */
  readonly retryIntervalsMs: readonly number[]
  readonly interpreter?: string
  readonly directory?: string
  readonly user?: string
  readonly environment?: Readonly<Record<string, string>>
}
