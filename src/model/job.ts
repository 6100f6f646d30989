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
  /** Each tick is delayed by a random time up to this, ms. */
  readonly jitterMs: number
  /** Pause after this many failures in a row; 0 = never. */
  readonly pauseOnFailures: number
  /** For a new job: only ticks after this instant count, ms; by default those after now. */
  readonly since?: number
  readonly task: TaskTemplate
}

/**
 * How a task is carried out, where it is not `script controller function param`. No message can ask
 * for one: only the broker (broker-task.ts) and the rows of the `task` table make these.
 * - `bin`: the file `script` in bin_path, with the words of `param` as its arguments
 * - `rpc`: a request with method `function` to the URL `script`, with the JSON text `param`
 * - `function`: the function `function` in the folder `controller` of the tasks folder, with the
 *   comma-separated JSON values of `param` (function-call.ts)
 */
export type Call = 'bin' | 'rpc' | 'function'

/** What every task of a job has in common. */
export interface TaskTemplate {
  readonly call?: Call
  /** The row of the table `task` that it came from: its runs are rows of `execute_task`. */
  readonly rowId?: number
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
