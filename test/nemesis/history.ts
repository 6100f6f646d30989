import type { Run } from './ledger.ts'

/** All that is known of a run of the nemesis when it is over: what the checker judges. */
export interface History {
  /** What was handed in, in the order in which it was. */
  readonly tasks: readonly HandedIn[]
  readonly runs: readonly Run[]
  readonly faults: readonly Fault[]
  /** Final verdicts by task id, as the queues have them; a list, for there must be one only. */
  readonly verdicts: ReadonlyMap<string, readonly Verdict[]>
  readonly failRows: readonly FailedRun[]
  readonly executeRows: readonly ExecuteRow[]
  readonly sourceRows: readonly SourceRow[]
  /** Rows of the table queue that the application has committed. */
  readonly committedRows: readonly number[]
  readonly jobs: readonly TickingJob[]
  /** The right wall clock less `uptime`, s: what makes a tick's time one of the run. */
  readonly wallLessUptime: number
  /** Pauses of jobs, from the answer to `pause` to the call of `resume`. */
  readonly pauses: readonly Pause[]
  readonly looks: readonly Look[]
  /** What was still there after all was over, in words: processes, rows, locks, lists. */
  readonly left: readonly string[]
  /** What did not come to rest or end well, in words. */
  readonly unrest: readonly string[]
}

export interface Pause {
  readonly job: string
  readonly from: number
  readonly to: number
}

export interface HandedIn {
  readonly id: string
  readonly taskKey: string
  /** Seconds of `uptime`. */
  readonly at: number
  /**
   * `accepted`: Redis or the daemon said so. `unsure`: the answer was an error that leaves it open.
   */
  readonly answer: 'accepted' | 'unsure'
  readonly how: How
  /** How often it may be tried again after a failure. */
  readonly retries: number
  /** Seconds of `uptime` before which it must not begin, by the right clock. */
  readonly notBefore?: number
  /** When somebody asked to cancel it, and whether that was answered with yes. */
  readonly cancel?: { readonly at: number; readonly done: boolean }
}

/** How a script is to end. */
export type How = 'succ' | 'fail' | 'code' | 'exit'

export interface Verdict {
  readonly state: 'completed' | 'failed' | 'removed'
}

/** A row of fail_log. */
export interface FailedRun {
  readonly id: string
  readonly attempt: number
  readonly kind: string
}

/** A row of execute_task. */
export interface ExecuteRow {
  readonly id: number
  readonly status: string
  readonly kind: string
  readonly taskId: string
}

/** A row of the table of `[source:rows]`; `taskId` is of its runs. */
export interface SourceRow {
  readonly row: number
  readonly status: 'ready' | 'taken' | 'done' | 'failed'
}

/** A job whose every tick must run: the ticks that were due, ms since 1970. */
export interface TickingJob {
  readonly name: string
  readonly due: readonly number[]
  readonly how: How
  readonly retries: number
}

/** What was done to the world. All times are seconds of `uptime`. */
export interface Fault {
  readonly name: string
  /** For the timeline: what exactly was hit. */
  readonly what: string
  readonly from: number
  readonly to: number
  /** Whose runs were cut off, and so may run again. */
  readonly cuts: readonly Cut[]
  /** What `status` must call away. */
  readonly away: readonly Away[]
  /** Nodes whose daemon cannot be asked meanwhile. */
  readonly mute: readonly Mute[]
  /** The worker that stood still from its begin to its end. */
  readonly stopped?: string
  /** What it did to the clock of all nodes. */
  readonly clock?: ClockStep
}

/** Between these two moments what is in the scope was ended, or was told to. */
export interface Cut {
  readonly from: number
  readonly to: number
  readonly scope: Scope
  /**
   * Not ended, but cut off for so long that other nodes take its tasks. It ends its own runs of sync
   * queues before that; those of other queues may go on beside the new ones (`fence = sync`).
   */
  readonly fenced?: true
}

export interface Away {
  readonly part: 'redis' | 'database'
  readonly node: string
  readonly from: number
  readonly to: number
}

export interface Mute {
  readonly node: string
  readonly from: number
  readonly to: number
}

/** Between these moments the clock of all nodes showed so many seconds more than it should; or less. */
export interface ClockStep {
  readonly by: number
  readonly from: number
  readonly to: number
}

/** Runs of a worker, of a whole node, or of one task. */
export type Scope =
  | { readonly kind: 'worker'; readonly worker: string }
  | { readonly kind: 'node'; readonly node: string }
  | { readonly kind: 'run'; readonly id: string }

/** One look at `status` of a node. */
export interface Look {
  readonly node: string
  readonly from: number
  readonly to: number
  readonly answer:
    | {
        readonly ok: true
        readonly redis: boolean
        readonly database: boolean
        /** Of the command line, where it was that which asked. */
        readonly exit?: number
      }
    | { readonly ok: false; readonly error: string }
}
