import { type BackoffPolicy, backoffDelay } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import { failureOf } from './failure.ts'

const BUSY: BackoffPolicy = { baseMs: 30, factor: 2, capMs: 1000, jitter: 0.5 }
const BUSY_TRIES = 7

/**
 * The same again while it is a deadlock, a serialization failure or a lock of somebody else's; and
 * once when the connection broke, as those in the pool do when the server was started anew. After
 * waiting for a hanging server it does not wait a second time. Only for work that may be repeated.
 */
export async function again<T>(clock: Pick<Clock, 'sleep'>, work: () => Promise<T>): Promise<T> {
  let cuts = 0
  for (let tries = 1; ; tries += 1) {
    try {
      return await work()
    } catch (error) {
      const failure = failureOf(error)
      if (failure === 'cut' && cuts === 0) {
        cuts += 1
        continue
      }
      if (failure !== 'busy' || tries >= BUSY_TRIES) throw error
      await clock.sleep(backoffDelay(BUSY, tries, Math.random()))
    }
  }
}
