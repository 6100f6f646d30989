import { backoffDelay } from '../lib/backoff.ts'
import { realClock } from '../lib/clock.ts'
import { isRefused } from './connection.ts'

const RETRY = { baseMs: 100, factor: 2, capMs: 2000, jitter: 0.2 }

/**
 * Repeats a write for as long as Redis takes none: disk or memory full, a failover.
 * @param signal after which it is not repeated; the refusal is thrown then
 */
export async function insist<T>(write: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await write()
    } catch (error) {
      if (!isRefused(error) || signal?.aborted) throw error
      await realClock.sleep(backoffDelay(RETRY, failures, Math.random()), signal)
    }
  }
}
