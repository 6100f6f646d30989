/** A task that is here: from its arrival until it is decided what the queue is told of it. */
export interface Present {
  /** Why it was cancelled; undefined while it was not. */
  readonly cancelled: string | undefined
  /** Aborts when there is nothing to wait for any more. */
  readonly hurry: AbortSignal
}

/** The tasks that are here, with the reason for those that were cancelled meanwhile. */
export class Cancels {
  readonly #present = new Map<string, Entry>()
  #leaving = false

  cancel(id: string, reason: string): void {
    const entry = this.#present.get(id)
    if (!entry) return
    entry.cancelled ??= reason
    entry.waiting.abort()
  }

  /** The worker leaves: no task waits any longer. */
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
