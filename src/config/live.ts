import type { Config } from './config.ts'

/** The configuration that is in force: made first, and changed only by a reload. */
export class LiveConfig {
  #current: Config
  readonly #listeners: ((next: Config) => void)[] = []

  constructor(config: Config) {
    this.#current = config
  }

  get current(): Config {
    return this.#current
  }

  /** Puts another one in force, and tells those who listen, in the order in which they came. */
  replace(next: Config): void {
    this.#current = next
    for (const listener of this.#listeners) listener(next)
  }

  onChange(listener: (next: Config) => void): void {
    this.#listeners.push(listener)
  }
}
