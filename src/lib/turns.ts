import { setImmediate as nextTurn } from 'node:timers/promises'

/**
 * Lets costly steps through one after another, and gives everything else a turn of the event loop
 * whenever they have held it for `sliceMs`. A step alone is not held up.
 */
export class Turns {
  readonly #sliceMs: number
  #last: Promise<void> = Promise.resolve()
  /** When the steps of this turn began; undefined in a turn without any. */
  #since: number | undefined

  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs
  }

  /** Resolves when the caller may take its step; it must take it at once. */
  wait(): Promise<void> {
    this.#last = this.#last.then(() => this.#pass())
    return this.#last
  }

  async #pass(): Promise<void> {
    if (this.#since !== undefined && performance.now() - this.#since >= this.#sliceMs)
      await nextTurn()
    if (this.#since !== undefined) return
    this.#since = performance.now()
    setImmediate(() => {
      this.#since = undefined
    })
  }
}
