/** A task in this worker, from its arrival until its settlement is decided. */
export interface Present {
  /** Why it was cancelled; undefined if it was not. */
  readonly cancelled: string | undefined
  /** Aborts when the task must not wait any longer. */
  readonly hurry: AbortSignal
}

/** The tasks in this worker, with the reason for those that were cancelled meanwhile. */
export class Cancels {
  readonly #present = new Map<string, Entry>()
  #leaving = false

  cancel(id: string, reason: string): void {
    const entry = this.#present.get(id)
    if (!entry) return
    entry.cancelled ??= reason
    entry.waiting.abort()
  }

  /** The worker is leaving: no task waits any longer. */
  leave(): void {
    this.#leaving = true
    for (const { waiting } of this.#present.values()) waiting.abort()
  }

  async during<T>(id: string, work: (present: Present) => Promise<T>): Promise<T> {
    const waiting = new AbortController()
    const entry: Entry = { cancelled: undefined, waiting, hurry: waiting.signal }
    if (this.#leaving) waiting.abort()
    this.#present.set(id, entry)
    try {
      return await work(entry)
    } finally {
      // Its retry may be here already.
      if (this.#present.get(id) === entry) this.#present.delete(id)
    }
  }
}

interface Entry extends Present {
  cancelled: string | undefined
  readonly waiting: AbortController
}
