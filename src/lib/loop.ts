import { type BackoffPolicy, backoffDelay } from './backoff.ts'
import type { Clock } from './clock.ts'

export interface LoopDeps {
  readonly clock: Pick<Clock, 'sleep'>
  /** A number in [0, 1), for the back-off. */
  readonly random?: () => number
  /**
   * @param signal aborts when the loop is stopped, which then waits for the round to end
   * @returns how long to wait for the next round or a nudge, ms; 0 for none
   */
  readonly round: (signal: AbortSignal) => Promise<number>
  /**
   * Told of a round that threw. The next one waits for longer with each failure in a row, and no
   * nudge shortens that. Without it, a round that throws is a bug.
   */
  readonly failed?: (error: unknown) => BackoffPolicy
  /** How long the first nudge of a wait waits for others, so that one round serves them all, ms. */
  readonly gatherMs?: number
}

/** Does the same again and again, until it is stopped. */
export class Loop {
  readonly #deps: LoopDeps
  #stopping = new AbortController()
  #wake = new AbortController()
  #running: Promise<void> | undefined

  constructor(deps: LoopDeps) {
    this.#deps = deps
  }

  /** Whether it was started, and has not ended since. */
  get running(): boolean {
    return this.#running !== undefined
  }

  /** Aborts when the loop is stopped. */
  get signal(): AbortSignal {
    return this.#stopping.signal
  }

  /** Starts once, and anew after a stop. @param waitMs before the first round */
  start(waitMs = 0): void {
    if (this.#running) return
    this.#stopping = new AbortController()
    this.#wake = new AbortController()
    this.#running = this.#run(waitMs, this.#stopping.signal)
  }

  /** Ends the wait for the next round; one that comes during a round is not missed. */
  nudge(): void {
    this.#wake.abort()
  }

  /** Resolves when the round in progress has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#wake.abort()
    await this.#running
    this.#running = undefined
  }

  async #run(firstMs: number, signal: AbortSignal): Promise<void> {
    const { clock, round, failed, random = Math.random, gatherMs = 0 } = this.#deps
    if (firstMs > 0) await clock.sleep(firstMs, this.#wake.signal)
    for (let failures = 0; !signal.aborted; ) {
      // Before the round, so that no nudge is lost in between.
      const wake = new AbortController()
      this.#wake = wake
      try {
        const waitMs = await round(signal)
        failures = 0
        if (waitMs > 0) await clock.sleep(waitMs, wake.signal)
        if (gatherMs > 0 && wake.signal.aborted) await clock.sleep(gatherMs, signal)
      } catch (error) {
        if (signal.aborted) return
        if (!failed) throw error
        failures += 1
        await clock.sleep(backoffDelay(failed(error), failures, random()), signal)
      }
    }
  }
}
