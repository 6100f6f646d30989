import type { RestartPolicy } from './program-state.ts'

/** One process of a `[program:x]` section: everything expanded, nothing left to look up. */
export interface ProcessSpec {
  /** `group:process`, or the process alone where both have the same name; unique. */
  readonly name: string
  /** The section it comes from. */
  readonly program: string
  /** Its `[group:x]`, or else the program's own name. */
  readonly group: string
  /** `process_name`, expanded. */
  readonly process: string
  /** The command and its arguments; no shell is involved. */
  readonly argv: readonly [string, ...string[]]
  /** Absolute. Not set: the daemon's own. */
  readonly directory?: string
  /** Laid over the daemon's. */
  readonly environment: Readonly<Record<string, string>>
  /** A user's name or number. Not set: that of the daemon. */
  readonly user?: string
  readonly umask?: number
  /** Low ones are started first and stopped last. */
  readonly groupPriority: number
  readonly priority: number
  readonly autostart: boolean
  readonly restart: RestartPolicy
  readonly stopSignal: NodeJS.Signals
  /** Whether the stop signal goes to the whole process group. */
  readonly stopAsGroup: boolean
  /** Whether KILL does. */
  readonly killAsGroup: boolean
  /** What a new daemon does with a process that a KILLed one left. */
  readonly onOrphan: 'kill' | 'adopt'
  readonly stdout: OutputSpec
  /** `stdout`: one pipe for both, in the program too. */
  readonly stderr: OutputSpec | 'stdout'
}

/** Where one output stream of a program goes. */
export type OutputSpec =
  | { readonly kind: 'none' }
  /** The daemon's own standard output or standard error, as `/dev/stdout` asks. */
  | { readonly kind: 'inherit'; readonly fd: 1 | 2 }
  | LogFileSpec

export interface LogFileSpec {
  readonly kind: 'file'
  /** Absolute. */
  readonly path: string
  /** Rotated when it would grow larger; 0 = never. */
  readonly maxBytes: number
  /** How many old ones are kept, as path.1 (the newest), path.2, … */
  readonly backups: number
  /** Old ones are compressed: path.1.gz, … */
  readonly gzip: boolean
  /** Each line begins with the time it arrived. */
  readonly timestamps: boolean
  /**
   * `file`: the program holds the file itself, so that output goes on while there is no daemon;
   * rotated by copy and truncate. `pipe`: it goes through us.
   */
  readonly through: 'pipe' | 'file'
}
