import { type Clock, isoWithOffset } from './clock.ts'
import { messageOf } from './errors.ts'

/** Whether something works, since when, and what is wrong. */
export interface Condition {
  readonly ok: boolean
  /** In words; '' when nothing is wrong. */
  readonly error: string
  /** ISO 8601. */
  readonly since: string
}

export interface TroubleListener {
  began(error: unknown): void
  ended(lasted_s: number): void
}

/** Keeps a condition, and reports once when a trouble begins and once when it ends. */
export class Trouble {
  readonly #clock: Pick<Clock, 'now'>
  readonly #listener: TroubleListener
  #error: string | undefined
  #since: number

  constructor(clock: Pick<Clock, 'now'>, listener: TroubleListener) {
    this.#clock = clock
    this.#listener = listener
    this.#since = clock.now()
  }

  get condition(): Condition {
    const { ok } = this
    return { ok, error: this.#error ?? '', since: isoWithOffset(this.#since) }
  }

  get ok(): boolean {
    return this.#error === undefined
  }

  note(error: unknown): void {
    if (this.ok) {
      this.#since = this.#clock.now()
      this.#listener.began(error)
    }
    this.#error = messageOf(error)
  }

  clear(): void {
    if (this.ok) return
    const now = this.#clock.now()
    this.#listener.ended(Math.round((now - this.#since) / 1000))
    this.#error = undefined
    this.#since = now
  }
}
