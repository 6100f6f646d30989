/** What an agent was told on its command line. */
export interface AgentOptions {
  /** The HTTP address of a master, perhaps with a path. */
  readonly master: URL
  readonly queue: string
  readonly secret?: string | undefined
  /** The only certificates that are trusted, PEM; the system's when not set. */
  readonly ca?: Buffer | undefined
  /** Tasks that run at once. */
  readonly concurrency: number
  /** Tasks that wait here at most. */
  readonly batch: number
  readonly dataDir: string
  /** Who this is, for people. */
  readonly node: string
  /** The php binary. */
  readonly php: string
  /** For tasks that bring none, ms. */
  readonly maxRunTimeMs: number
  /** How long a drain lets tasks run, ms. */
  readonly stopWaitMs: number
  /** From TERM to KILL, ms. */
  readonly killWaitMs: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'fatal'
  readonly logFormat: 'text' | 'json'
}
