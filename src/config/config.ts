import type { FenceMode } from '../model/fence-mode.ts'
import type { Job, Trigger } from '../model/job.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { AllowedHost } from '../model/rpc-allow.ts'
import type { Note, Problem } from './diagnostics.ts'
import type { Rate } from './rate.ts'

/** Everything the daemon was told, checked once and frozen to the last value. */
export interface Config {
  /** The main file, absolute. */
  readonly file: string
  /** Every file that was read, absolute, the main file first. */
  readonly files: readonly string[]
  readonly settings: Settings
  readonly queues: readonly QueueSpec[]
  readonly jobs: readonly Job[]
  /** What the sections of each other kind mean, by kind: `valueOf` reads it. */
  readonly sections: Readonly<Record<string, unknown>>
}

/** `[taskd]`. Paths are absolute; durations are ms. */
export interface Settings {
  readonly node: string
  /** `embedded`, or a URL: redis, rediss, unix, sentinel, cluster. */
  readonly redis: string
  /** A URL: sqlite, mysql, postgres. */
  readonly database: string
  readonly dataDir: string
  readonly socket: string
  /** Not set: no HTTP. */
  readonly http?: HttpAddress
  /** TLS; either both are set or neither. */
  readonly httpCert?: string
  readonly httpKey?: string
  /** Requests allowed for each address. */
  readonly httpRate?: Rate
  /** The secret that opens everything. */
  readonly secret?: string
  readonly secretRead?: string
  readonly secretPush?: string
  readonly secretPull?: string
  /** The only hosts that tasks may call over HTTP; not set: all but this machine and metadata. */
  readonly rpcAllow?: readonly AllowedHost[]
  /** An IANA zone name. */
  readonly timezone: string
  readonly maxRunTimeMs: number
  /** How long a drain waits for running tasks. */
  readonly stopWaitMs: number
  /** From TERM to KILL. */
  readonly killWaitMs: number
  /** After how long a node without a sign of life is gone, and its tasks go to others. */
  readonly nodeTimeoutMs: number
  readonly fence: FenceMode
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'fatal'
  /** Not set: standard output. */
  readonly logFile?: string
  readonly logFormat: 'text' | 'json'
  readonly resultKeepTimeMs: number
  readonly resultKeepCount: number
  readonly failKeepTimeMs: number
  readonly binPath?: string
  /** A file of bin_path that writes to standard error has failed. */
  readonly failOnStderr: boolean
  /**
   * Files, folders and shell patterns, absolute: the scripts that may be pushed over TCP without
   * `admin`.
   */
  readonly scriptAllow?: readonly string[]
  readonly tasks: string
  /** A path, or a name to be found on the PATH. */
  readonly php?: string
  readonly redisServer?: string
}

export interface HttpAddress {
  readonly host: string
  readonly port: number
}

/**
 * Judges a schedule. A `problem` may carry its own remedy after the first full stop; notes are shown
 * to the user and fail nothing.
 */
export type CheckSchedule = (
  trigger: Trigger,
  timezone: string,
) => { readonly problem?: string; readonly notes: readonly string[] }

export type Environment = Readonly<Record<string, string | undefined>>

export type Loaded =
  | { readonly ok: true; readonly config: Config; readonly notes: readonly Note[] }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly notes: readonly Note[] }
