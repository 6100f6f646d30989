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

  /** Puts another configuration in force, and calls the listeners in the order in which they subscribed. */
  replace(next: Config): void {
    this.#current = next
    for (const listener of this.#listeners) listener(next)
  }

  onChange(listener: (next: Config) => void): void {
    this.#listeners.push(listener)
  }
}
