import type { ProgramState } from '../model/program-state.ts'
import type { LastRunStatus } from './last-run-status.ts'
import type { FeatureLists, PartStatus } from './part-status.ts'
import type { SqlJobsStatus } from './sql-jobs-port.ts'

/** How it all is: what `GET /api/status` answers, and `taskd status --json` prints. */
export interface Status extends FeatureLists {
  readonly node: string
  readonly pid: number
  readonly version: string
  readonly uptime_s: number
  /** `waiting`: its programs run, and all else begins when Redis answers. */
  readonly state: 'starting' | 'waiting' | 'running' | 'draining' | 'drained' | 'stopping'
  readonly config: string
  readonly redis: HealthReport & {
    readonly url: string
    readonly version: string
    /** Where the masters are now, `host:port`; empty for an address of one server. */
    readonly servers: readonly string[]
    /** It can be asked; a full one can, and is not ok. */
    readonly answers: boolean
    /** Its memory is used up, and it refuses what may add. */
    readonly full: boolean
    /** When it was found without its earlier data, ISO 8601, for a day; else null. */
    readonly emptied: string | null
    /**
     * Bytes that count against the limit, and the limit; 0 where there is none, null while it does
     * not answer.
     */
    readonly used_memory: number | null
    readonly maxmemory: number | null
  }
  readonly database: Omit<HealthReport, 'ok'> & {
    /** null until it has been asked. */
    readonly ok: boolean | null
    readonly url: string
    /** Failed runs that wait in Redis; null when Redis does not tell. */
    readonly backlog: number | null
    readonly archived: number
    /**
     * Runs of functions that have ended and wait in Redis for their row in `execute_task` to say so;
     * null when Redis does not tell.
     */
    readonly runs_waiting: number | null
  }
  readonly workers: readonly WorkerStatus[]
  readonly programs: readonly ProgramStatus[]
  readonly queues: readonly QueueStatus[]
  readonly jobs: readonly JobStatus[]
  readonly sql_jobs: SqlJobsStatus
  /** Sections of features, all in one form; each also has its own list, under its own name. */
  readonly parts: readonly PartStatus[]
  /**
   * This one first, then the others on the same Redis; empty until Redis has answered, and absent
   * from what a daemon of version 0.1 says.
   */
  readonly nodes?: readonly NodeStatus[] | undefined
}

export interface NodeStatus {
  readonly name: string
  readonly self: boolean
  /**
   * `gone`: it gives no sign of life, and its tasks go to others. `fenced`: this one cannot reach
   * Redis, and has ended its own runs before others may take them. `unknown`: another one, while
   * Redis does not answer.
   */
  readonly state: 'alive' | 'gone' | 'fenced' | 'unknown'
  /** Since when it is gone or fenced, ISO 8601; null otherwise. */
  readonly since: string | null
}

export interface HealthReport {
  readonly ok: boolean
  /** What is wrong, in words; '' when nothing is. */
  readonly error: string
  /** Since when it is as it is, ISO 8601. */
  readonly since: string
}

export type StateName = ProgramState['name']

interface ChildStatus {
  readonly name: string
  readonly state: StateName
  /** 0 when there is none. */
  readonly pid: number
  readonly uptime_s: number
  readonly restart_num: number
  /** Why it is as it is: the last end, the next attempt, what it waits for. */
  readonly detail: string
  readonly cpu: number
  readonly memory: number
}

export interface WorkerStatus extends ChildStatus {
  readonly kind: 'sync' | 'async'
  readonly task_key: string
  readonly running_task: number
}

export interface ProgramStatus extends ChildStatus {
  /** Its `[group:x]`, or the program itself; '' for the embedded Redis. */
  readonly group: string
  /** Bytes of its output that could not be kept. */
  readonly dropped: number
}

export type QueueStatus = {
  readonly task_key: string
  readonly mode: 'sync' | 'async' | 'pull'
} & (KnownQueue | UnknownQueue)

export interface KnownQueue {
  /** Messages in the plain list that are not taken in yet; null when its key is no list. */
  readonly listed: number | null
  readonly waiting: number
  readonly delayed: number
  readonly active: number
  readonly bad: number
  readonly paused: boolean
  readonly unknown?: undefined
}

/** Redis could not be asked. */
export type UnknownQueue = { readonly [key in Exclude<keyof KnownQueue, 'unknown'>]: null } & {
  readonly unknown: true
}

export interface JobStatus extends LastRunStatus {
  readonly name: string
  readonly task_key: string
  readonly enabled: boolean
  /** A valid row of `task` that cannot run; `held` says why. */
  readonly bad?: true | undefined
  /** '' when enabled and not paused; else why it does not fire; null when that is not known. */
  readonly held: string | null
  /** ISO 8601 with the zone's offset, or null when it never fires again, or that is not known. */
  readonly next: string | null
  /** In a row; null when not known. */
  readonly failures: number | null
  /** Only while Redis cannot be asked: when this was last known, ISO 8601; '' when it never was. */
  readonly as_of?: string | undefined
}
