import type { Status } from '../../api/status.ts'
import type { Config, Environment, Loaded } from '../../config/config.ts'

/** A finding of one look at the machine. */
export interface Finding {
  readonly name: string
  /** A `fail` is in the way now; a `warn` may be one day. */
  readonly level: 'ok' | 'warn' | 'fail'
  readonly message: string
  /** How to fix it; '' when there is nothing to fix. */
  readonly remedy: string
}

export interface Patient {
  readonly env: Environment
  readonly configFile: string
  readonly loaded: Loaded
  /** As much of it as could be read; undefined when it has mistakes. */
  readonly config: Config | undefined
  /** What the daemon says of itself; undefined when it does not run. */
  readonly status: Status | undefined
}

export type Look = (patient: Patient) => Promise<readonly Finding[]> | readonly Finding[]

export const ok = (name: string, message: string): Finding => ({
  name,
  level: 'ok',
  message,
  remedy: '',
})

export const warn = (name: string, message: string, remedy: string): Finding => ({
  name,
  level: 'warn',
  message,
  remedy,
})

export const fail = (name: string, message: string, remedy: string): Finding => ({
  name,
  level: 'fail',
  message,
  remedy,
})
