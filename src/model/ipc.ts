import type { Parsed } from '../lib/parsed.ts'
import type { FenceMode } from './fence-mode.ts'
import type { QueueSpec } from './queue-spec.ts'
import type { AllowedHost } from './rpc-allow.ts'
import type { RunRecord } from './run-record.ts'
import type { FailKind } from './run-result.ts'

/** What a worker needs to know; sent once, before it does anything. */
export interface WorkerInit {
  readonly type: 'init'
  readonly workerId: string
  readonly node: string
  /** The id of this installation, a part of every owner. */
  readonly instance: string
  readonly redisUrl: string
  readonly queue: QueueSpec
  readonly restartNum: number
  readonly limits: WorkerLimits
}

/** The part of the configuration that a live worker takes over on reload. */
export interface WorkerLimits {
  /** For tasks that bring none, ms. */
  readonly maxRunTimeMs: number
  /** Between TERM and KILL, ms. */
  readonly killWaitMs: number
  /** After how long a node without a sign of life is gone, ms. */
  readonly nodeTimeoutMs: number
  /**
   * Which runs are ended when this node cannot give a sign of life, since other nodes may take its
   * tasks then.
   */
  readonly fence: FenceMode
  readonly resultKeepMs: number
  readonly resultKeepCount: number
  readonly failKeepMs: number
  /** The php binary. */
  readonly php: string
  /** The folder that tasks of the broker may run files of. */
  readonly binPath?: string
  /** A file of bin_path that writes to standard error has failed, whatever its exit code. */
  readonly failOnStderr: boolean
  /** The folder of functions, see function-call.ts. */
  readonly tasks?: string
  /** Where compiled functions are kept. */
  readonly cacheDir?: string
  /** The folder for verdicts that Redis does not take at once, see workers/kept-verdicts.ts. */
  readonly verdictsDir?: string
  /** See model/rpc-allow.ts. */
  readonly rpcAllow?: readonly AllowedHost[]
  /** An IANA name: the time zone in which days are counted. */
  readonly timezone: string
}

export type ToWorker =
  | WorkerInit
  | { readonly type: 'tune'; readonly concurrency: number; readonly limits: WorkerLimits }
  /** Take no more tasks; what still runs after `waitMs` is ended and given back. */
  | { readonly type: 'drain'; readonly waitMs: number }
  | { readonly type: 'cancel'; readonly id: string; readonly reason: string }
  /** Other nodes may have taken tasks of this one: check the tasks that you hold. */
  | { readonly type: 'confirm' }
  /**
   * Send the output of this run, or without an id of all present and future ones: first what it has
   * written so far (again with each `watch`), then what follows, until `unwatch` with the same id.
   */
  | { readonly type: 'watch' | 'unwatch'; readonly id: string | undefined }
  /** The answer to `open-row`: the id of the row, or why there is none. */
  | { readonly type: 'row'; readonly ask: number; readonly row: Parsed<number> }
  /** The master's measure of the worker and its runs: percent of a core, bytes. */
  | { readonly type: 'usage'; readonly cpu: number; readonly memory: number }

export interface RunStarted {
  readonly type: 'started'
  readonly id: string
  readonly job: string
  readonly attempt: number
  /** 0 for a run that is not a process. */
  readonly pid: number
}

export interface RunEnded {
  readonly type: 'ended'
  readonly id: string
  readonly job: string
  readonly attempt: number
  readonly outcome: RunRecord['outcome']
  readonly kind: FailKind | ''
  readonly code: string
  readonly msg: string
  readonly durationMs: number
  /** When it will be run again, ms from now. */
  readonly retryInMs?: number
}

/** A run of a row of `task` is about to begin and needs its row of `execute_task`. */
export interface OpenRow {
  readonly type: 'open-row'
  /** The number of the question; each worker process counts its own. */
  readonly ask: number
  readonly rowId: number
  readonly id: string
  readonly attempt: number
}

/** Sent only while somebody watches; left out rather than queued where the channel is full. */
export interface RunOutput {
  readonly type: 'output'
  readonly id: string
  /** How much the run had written before this, bytes. */
  readonly at: number
  readonly base64: string
  /** Whether this is the last part of all output so far, with which a watcher begins. */
  readonly snapshot: boolean
}

export type FromWorker =
  | { readonly type: 'ready' }
  /** Comes with every heartbeat: the worker is not stuck. */
  | { readonly type: 'pulse' }
  | OpenRow
  | RunStarted
  | RunEnded
  | RunOutput
  | {
      readonly type: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly msg: string
      readonly fields: Readonly<Record<string, unknown>>
    }

/**
 * In the environment of every run: the text form of its owner. A run whose owner is dead is
 * found and ended by it, even where its pid was never written down.
 */
export const RUN_VARIABLE = 'TASKD_RUN'

/** In the environment of every worker process: `<instance>/<workerId>`. */
export const WORKER_VARIABLE = 'TASKD_WORKER'
