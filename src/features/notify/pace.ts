import type { NotifySpec } from '../../model/notice.ts'

const MOST_TIMES = 10_000

/** How many notices may go out: at most `max` within its time, wherever that time begins. */
export class Pace {
  #times: number[] = []

  /** When notices went out, as far as that matters, ms. */
  get times(): readonly number[] {
    return this.#times
  }

  restore(times: readonly number[]): void {
    this.#times = [...times]
  }

  went(now: number): void {
    this.#times.push(now)
  }

  /** Until the next one may go, ms; 0 or less: now. */
  waitMs({ max, durationMs }: NotifySpec['max'], now: number): number {
    // A clock that was set back must not keep anything back.
    const recent = this.#times.filter(at => at <= now && at > now - durationMs)
    this.#times = recent.slice(-Math.min(max, MOST_TIMES))
    const [oldest] = this.#times
    return oldest !== undefined && this.#times.length >= max ? oldest + durationMs - now : 0
  }
}
