import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'

/** How long a reload waits for all its parts together. */
const LIMIT_MS = 3000

/**
 * Makes the parts of the daemon as a new configuration says. Each may hang on a frozen Redis or
 * on a database; none holds up another, or the reload.
 */
export class Settling {
  readonly #clock: Clock
  readonly #log: Pick<Logger, 'warn' | 'error'>
  /** What each part is doing. A part takes one configuration after another. */
  readonly #doing = new Map<string, Promise<void>>()

  constructor(clock: Clock, log: Pick<Logger, 'warn' | 'error'>) {
    this.#clock = clock
    this.#log = log
  }

  /**
   * Resolves when all is done, or has had its time: what is not done then goes on by itself.
   * @param parts by their names for people
   * @throws what a part throws in time
   */
  async settle(parts: Readonly<Record<string, () => Promise<void>>>): Promise<void> {
    const waiting = new Set(Object.keys(parts))
    const over = new AbortController()
    const all = Object.entries(parts).map(async ([part, act]) => {
      const before = this.#doing.get(part)?.catch(() => undefined)
      const doing = (async () => {
        await before
        await act()
      })()
      this.#doing.set(part, doing)
      await doing
      waiting.delete(part)
    })
    const settled = Promise.all(all).finally(() => over.abort())
    // It is looked at below, when it may have failed for long.
    settled.catch(() => undefined)
    await this.#clock.sleep(LIMIT_MS, over.signal)
    if (over.signal.aborted) {
      await settled
      return
    }
    const names = [...waiting].join(', ')
    this.#log.warn(
      { waiting: names },
      'parts of the new configuration wait for Redis or a database, and follow when it is back',
    )
    settled.catch((error: unknown) => this.#log.error({ error: messageOf(error) }, 'reload'))
  }
}
