import { setTimeout as delay } from 'node:timers/promises'

export interface WaitOptions {
  readonly timeoutMs?: number
  /** What is waited for, for the error: "timed out after 5000 ms: <what>". */
  readonly what: string
}

/** Asked often at first, then less: what looks must not take the machine from what is waited for. */
const POLL_MS = 5
const MAX_POLL_MS = 50

/**
 * Resolves with the first truthy value of `condition`. A condition that throws is "not yet";
 * its last error is told when the time is over, so assertions may stand inside.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 30_000, what }: WaitOptions,
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const begun = performance.now()
  const deadline = begun + timeoutMs
  let last: unknown
  while (performance.now() < deadline) {
    try {
      const value = await before(deadline, condition())
      if (value) return value as Exclude<T, false | null | undefined | 0 | ''>
      last = undefined
    } catch (error) {
      last = error
    }
    await delay(Math.min(MAX_POLL_MS, POLL_MS + (performance.now() - begun) / 20))
  }
  const why =
    last === undefined
      ? ''
      : ` (last error: ${last instanceof Error ? last : JSON.stringify(last)})`
  throw new Error(`timed out after ${timeoutMs} ms: ${what}${why}`, { cause: last })
}

/** A condition that never answers must not hang the test either. */
async function before<T>(deadline: number, value: T | Promise<T>): Promise<T> {
  if (!(value instanceof Promise)) return value
  const stop = new AbortController()
  const late = delay(Math.max(0, deadline - performance.now()), undefined, {
    signal: stop.signal,
  }).then(() => {
    throw new Error('the condition was still being looked at')
  })
  try {
    return await Promise.race([value, late])
  } finally {
    stop.abort()
    late.catch(() => undefined)
  }
}
