import type { FailRow } from '../model/fail-row.ts'
import type { RunRecord } from '../model/run-record.ts'
import type { Answer } from '../model/run-result.ts'
import type { NotifyControl } from './notify-port.ts'
import type { Once } from './once.ts'
import type { ScheduleControl } from './schedule-port.ts'
import type { SqlJobsPort } from './sql-jobs-port.ts'
import type { Status } from './status.ts'

/** What the API may ask of the daemon: the only connection between the two. */
export interface Control extends ScheduleControl, NotifyControl, SqlJobsPort {
  status(): Promise<Status>
  /**
   * Starts, stops or restarts workers and programs by name; the name of a queue, a group (also as
   * `group:*`) or a program means all its processes, and `all` means all there are. Answers when it
   * has happened, or after ten seconds.
   * @param by who asks, in words
   */
  change(
    action: 'start' | 'stop' | 'restart',
    names: readonly string[],
    by?: string,
  ): Promise<ChangeResult[]>
  /** Sends a signal to the processes of programs. */
  signal(signal: NodeJS.Signals, names: readonly string[]): Promise<ChangeResult[]>
  /** What a reload would do; changes nothing. */
  plan(): Promise<ReloadReport>
  /** Applies the configuration as it now is; when it has a mistake, nothing at all changes. */
  reload(): Promise<ReloadReport>
  /**
   * Stops the daemon in order; answers as soon as it has begun. May be called again, to hurry it.
   * @throws TaskdError E_FOREGROUND
   */
  shutdown(options: ShutdownOptions): Promise<void>
  /** Takes no new task on this node, on any queue, until `resume`; answers at once. */
  drain(): Promise<DrainReport>
  /**
   * A task of this job, now, whatever its schedule says. With `wait`, answers when it has its
   * final verdict; `signal` aborts when the one who waits has left.
   * @throws TaskdError E_NO_JOB
   */
  runJob(
    job: string,
    options: { readonly wait: boolean; readonly once?: Once },
    signal: AbortSignal,
  ): Promise<Pushed | Answer>
  /**
   * Puts a task on a queue. With `wait`, answers when it has its final verdict.
   * @param scripts what the caller may name; any when left out
   * @throws TaskdError E_BAD_TASK, E_NO_QUEUE, E_FULL, E_SCOPE
   */
  push(request: PushRequest, signal: AbortSignal, scripts?: Scripts): Promise<Pushed | Answer>
  fails(query: FailsQuery): Promise<readonly StoredFail[]>
  /**
   * Runs that are over, the newest first, of all nodes. @throws TaskdError E_NO_JOB, E_NO_QUEUE
   */
  runs(query: RunsQuery): Promise<readonly RunRecord[]>
  /**
   * The end of what a program, a worker's runs or one run has written, and with `follow` what
   * comes. It is over when `signal` aborts. A reader that is slow misses some, and is told so.
   * @throws TaskdError E_NO_NAME, E_NO_RUN, E_BAD_STATE, E_NO_OUTPUT
   */
  tail(name: string, options: TailOptions, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /**
   * Runs a failed task again, by unique_task_id.
   * @param scripts what the caller may have run; any when left out
   * @throws TaskdError E_NO_TASK, E_SCOPE
   */
  retry(id: string, scripts?: Scripts): Promise<Pushed>
  /** @throws TaskdError E_NO_TASK when it is neither waiting nor running */
  cancel(id: string): Promise<Cancelled>
  /**
   * Pauses or resumes queues or jobs by name, on all nodes. Resuming without any name ends a
   * drain of this node. @throws TaskdError E_NO_NAME
   */
  setPaused(
    names: readonly string[],
    paused: boolean,
  ): Promise<{ readonly name: string; readonly paused: boolean }[]>
  /** @throws TaskdError E_NO_NAME */
  why(name: string): Promise<Why>
  /** How many processes a queue or a program has on this node, until the next reload. */
  scale(name: string, count: number): Promise<Scaled>
}

export interface ShutdownOptions {
  /** Running tasks are ended, and run again after the next start. */
  readonly hurry: boolean
  /** The same, and programs are killed instead of stopped by their stopsignal. */
  readonly kill: boolean
  /** Another one is started in the background afterwards: refused when somebody has this one as a child. */
  readonly restart: boolean
}

/** For a caller who may not run any script: only what master/allowed-scripts.ts allows. */
export type Scripts = 'allowed'

export interface PushRequest {
  readonly task_key: string
  /** The message as it would be pushed to the list. */
  readonly task: Readonly<Record<string, unknown>>
  readonly wait: boolean
  /** Given where the caller named the call, to repeat it safely. @throws TaskdError E_KEY_USED */
  readonly once?: Once
}

export interface Pushed {
  readonly unique_task_id: string
}

export interface Cancelled extends Pushed {
  readonly was: 'waiting' | 'running'
}

export interface FailsQuery {
  readonly limit: number
  readonly job?: string
  readonly task_key?: string
}

export interface RunsQuery {
  readonly limit: number
  readonly job?: string
  readonly task_key?: string
}

export interface TailOptions {
  /** How many of the last lines to begin with. */
  readonly lines: number
  readonly follow: boolean
  /** Undefined: what is usual for what is named. */
  readonly stream: 'stdout' | 'stderr' | undefined
}

/** Something whose output can be looked at: a program, a worker, a run. Undefined: not its name. */
export type TailSource = (
  name: string,
  options: TailOptions,
  signal: AbortSignal,
) => Promise<AsyncIterable<Uint8Array> | undefined>

export type StoredFail = FailRow & { readonly id: number }

export interface ChangeResult {
  readonly name: string
  readonly ok: boolean
  /** In words: `started`, `already running`, `no such name`, … */
  readonly message: string
}

/** Why something is as it is. */
export interface Why {
  readonly name: string
  /** `worker`, `program`, `queue`, `job`, `daemon`, `server`, or the kind of a section such as `relay`. */
  readonly kind: string
  readonly state: string
  /** ISO 8601, or '' where it is not known. */
  readonly since: string
  /** In words: what made it so, and what comes next. */
  readonly reasons: readonly string[]
  /** Its last steps, the oldest first. */
  readonly history: readonly {
    readonly at: string
    readonly from: string
    readonly to: string
    readonly detail: string
  }[]
}

export interface Scaled {
  readonly name: string
  readonly count: number
}

export interface DrainReport {
  /** Runs that are still in progress. */
  readonly running: number
}

export interface ReloadReport {
  /** True when the change is in force (`plan` never applies). */
  readonly applied: boolean
  /** One line each: `job x: added`, `queue y: workers 1 -> 2`, `worker z: restart (redis changed)`. */
  readonly changes: readonly string[]
  /** Why nothing was applied. */
  readonly problems: readonly ConfigProblem[]
}

export interface ConfigProblem {
  readonly file: string
  readonly line: number
  readonly key: string
  readonly value: string
  readonly message: string
  readonly hint: string
}
