import type { AllowedHost } from '../model/rpc-allow.ts'
import type { Ending } from '../model/run-result.ts'
import type { Task } from '../model/task.ts'
import type { CommandOptions } from './command.ts'
import type { Exit, OutputListener } from './spawn.ts'

/** Why we end a run before it ends itself. `returned`: we drain, which is not a failure. */
export type StopCause = 'timeout' | 'cancelled' | 'returned'

export interface RunOptions extends CommandOptions {
  readonly task: Task
  /** On top of what every run has. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly maxRunTimeMs: number
  readonly killWaitMs: number
  /** What rpc tasks may call, see model/rpc-allow.ts. */
  readonly rpcAllow?: readonly AllowedHost[] | undefined
  /** Called once it runs; with 0 for a run that is not a process. */
  readonly onPid: (pid: number) => void
}

export type Stopped = Ending & Exit & { readonly stopped?: StopCause }

/** A run in progress. */
export interface Run {
  readonly ending: Promise<Stopped>
  /** TERM to the group, KILL after `killWaitMs`; a request is broken off. The first cause wins. */
  stop(cause: StopCause, reason: string): void
  /** See Spawned.watch; may be called before there is a process. */
  watch(listener: OutputListener | undefined): void
}

/** The exit of a process that never started. */
export const NO_EXIT: Exit = {
  exitCode: null,
  signal: null,
  stdout: '',
  cut: false,
  output: '',
  written: 0,
  errors: 0,
  peakMemory: null,
}

export interface Cause {
  readonly kind: StopCause
  readonly reason: string
}

/** How a run ended that we ended ourselves. */
export function stoppedBy({ kind, reason }: Cause, exit: Exit): Stopped {
  return { ...exit, stopped: kind, ...(kind !== 'returned' && { cause: kind, reason }) }
}
