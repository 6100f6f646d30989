import type { NoticeEvent } from '../../model/notice.ts'

/** What one notice tells. */
export interface Gathered {
  readonly events: readonly NoticeEvent[]
  readonly notShown: number
}

/** Nobody reads more, and more would not fit into a chat message. */
export const MOST_EVENTS = 50

/**
 * What is to be told next, in the order in which it happened. The same happening again to the same
 * one is counted with it, unless something else has happened to that one in between. Of too many
 * the oldest are only counted: the newest say how things are now.
 */
export class Gathering {
  /** By a number that only grows, so that the oldest is the first. */
  readonly #events = new Map<number, NoticeEvent>()
  /** By whom it happened to: the number of the last event. */
  readonly #last = new Map<string, number>()
  #next = 0
  #shown = 0
  #notShown = 0

  /** How many events it stands for, with those that are only counted. */
  get size(): number {
    return this.#shown + this.#notShown
  }

  /** @returns how many events are only counted now that were shown before */
  add(event: NoticeEvent): number {
    this.#shown += event.count
    const key = keyOf(event)
    const number = this.#last.get(key)
    const before = number === undefined ? undefined : this.#events.get(number)
    if (number !== undefined && before?.kind === event.kind) {
      const { first_at } = before
      this.#events.set(number, { ...event, first_at, count: before.count + event.count })
      return 0
    }
    this.#events.set(this.#next, event)
    this.#last.set(key, this.#next)
    this.#next += 1
    return this.#events.size > MOST_EVENTS ? this.#leaveOut() : 0
  }

  #leaveOut(): number {
    for (const [number, event] of this.#events) {
      this.#events.delete(number)
      const key = keyOf(event)
      if (this.#last.get(key) === number) this.#last.delete(key)
      this.#shown -= event.count
      this.#notShown += event.count
      return event.count
    }
    return 0
  }

  /** The present content, which stays. */
  look(): Gathered {
    return { events: [...this.#events.values()], notShown: this.#notShown }
  }

  /** Takes the present content out. */
  take(): Gathered {
    const all = this.look()
    this.#events.clear()
    this.#last.clear()
    this.#shown = 0
    this.#notShown = 0
    return all
  }

  /** Restores what an earlier run of the daemon had gathered. */
  restore({ events, notShown }: Gathered): void {
    for (const event of events) this.add(event)
    this.#notShown += notShown
  }
}

function keyOf({ what, name }: NoticeEvent): string {
  return `${what} ${name}`
}
