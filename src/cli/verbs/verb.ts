import type { Command } from '../context.ts'

/** A command as `--help` shows it. What it does is loaded only when it is called. */
export interface Verb {
  /** As commander writes arguments: `<job>`, `[name...]`. */
  readonly args?: string
  readonly summary: string
  /** More than the summary, for its own help. */
  readonly about?: string
  readonly options?: readonly (readonly [flags: string, description: string])[]
  /** Flags of those that must be given. */
  readonly required?: readonly string[]
  /** Options that only taskd itself uses. */
  readonly hidden?: readonly string[]
  readonly examples: readonly string[]
  readonly exits?: readonly string[]
  readonly load: () => Promise<{ readonly run: Command }>
}

export type Verbs = Readonly<Record<string, Verb>>
