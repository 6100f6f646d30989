import type { Clock, Timer } from '../lib/clock.ts'

export interface Looked {
  /** @returns whether there was anything new */
  look(): Promise<boolean>
}

const ROUND_MS = 5000
/** A quiet file is looked at only in each 2nd, 3rd, … round, up to this number. */
const SELDOM = 12

interface Turn {
  quiet: number
  skip: number
}

/** Looks after the files that programs write themselves: one timer for all, none when there are none. */
export class Rounds {
  readonly #clock: Clock
  readonly #turns = new Map<Looked, Turn>()
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(one: Looked): void {
    this.#turns.set(one, { quiet: 0, skip: 0 })
    this.#timer ??= this.#next()
  }

  remove(one: Looked): void {
    this.#turns.delete(one)
    if (this.#turns.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #next(): Timer {
    return this.#clock.setTimer(ROUND_MS, () => void this.#round())
  }

  async #round(): Promise<void> {
    for (const [one, turn] of this.#turns) {
      turn.skip -= 1
      if (turn.skip >= 0) continue
      turn.quiet = (await one.look()) ? 0 : Math.min(SELDOM, turn.quiet + 1)
      turn.skip = Math.max(0, turn.quiet - 1)
    }
    if (this.#turns.size > 0) this.#timer = this.#next()
  }
}
