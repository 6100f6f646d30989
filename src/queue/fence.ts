import type { Clock } from '../lib/clock.ts'
import { fenceAfter, type NodeSign, renewEvery } from './node-sign.ts'

export interface FenceDeps {
  readonly sign: Pick<NodeSign, 'age' | 'timeoutMs' | 'others'>
  readonly clock: Clock
  readonly killWaitMs: () => number
  /** Whether this fence applies at present. */
  readonly applies: () => boolean
  readonly onClosed: () => void
  readonly onOpened: () => void
}

/**
 * Closed while this node gives no sign of life and knows of others, which may take it for gone
 * soon: what runs must be dead before. By the monotonic clock, from the last sign that was taken.
 */
export class Fence {
  readonly #deps: FenceDeps
  readonly #stopping = new AbortController()

  constructor(deps: FenceDeps) {
    this.#deps = deps
  }

  get closed(): boolean {
    return this.#deps.applies() && this.#deps.sign.others.length > 0 && this.#leftMs <= 0
  }

  start(): void {
    void this.#watch()
  }

  stop(): void {
    this.#stopping.abort()
  }

  get #leftMs(): number {
    const { sign, killWaitMs } = this.#deps
    return fenceAfter(sign.timeoutMs, killWaitMs()) - sign.age
  }

  async #watch(): Promise<void> {
    const { clock, sign, onClosed, onOpened } = this.#deps
    const { signal } = this.#stopping
    let closed = false
    while (!signal.aborted) {
      if (this.closed !== closed) {
        closed = !closed
        if (closed) onClosed()
        else onOpened()
      }
      const most = renewEvery(sign.timeoutMs) / 4
      await clock.sleep(Math.max(20, closed ? most : Math.min(most, this.#leftMs)), signal)
    }
  }
}
