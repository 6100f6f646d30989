export interface BackoffPolicy {
  /** First delay, ms. */
  readonly baseMs: number
  readonly factor: number
  /** No delay is longer than this, ms (before jitter). */
  readonly capMs: number
  /** Share of the delay that is random, 0 to 1: 0.2 means plus or minus 20 %. */
  readonly jitter: number
}

/**
 * The delay before attempt `n` (from 1), ms.
 * @param random a number in [0, 1), passed in so that the function stays pure
 */
export function backoffDelay(policy: BackoffPolicy, n: number, random: number): number {
  const exponent = Math.min(Math.max(0, n - 1), 64)
  const plain = Math.min(policy.capMs, policy.baseMs * policy.factor ** exponent)
  return Math.round(plain * (1 + policy.jitter * (2 * random - 1)))
}
