import { setTimeout as delay } from 'node:timers/promises'

/** A timer that can be called off. */
export interface Timer {
  cancel(): void
}

/**
 * Where time comes from. Production code never reads the time any other way, so a test can
 * move it by hours, or backwards, without waiting.
 */
export interface Clock {
  /** Wall time, ms since 1970. May jump; for instants that people see. */
  now(): number
  /** Monotonic time, ms since an arbitrary start. For durations and deadlines. */
  monotonic(): number
  /** Resolves after `ms` of monotonic time, or at once when `signal` aborts (it never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `fn` once after `ms`. The timer does not keep the process alive. */
  setTimer(ms: number, fn: () => void): Timer
}

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    if (signal?.aborted) return
    await delay(Math.max(0, ms), undefined, signal ? { signal } : {}).catch(() => undefined)
  },
  setTimer(ms, fn) {
    const handle = setTimeout(fn, Math.max(0, ms))
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}

/** ISO 8601 with milliseconds and the local offset, as every time in Redis and SQL is written. */
export function isoWithOffset(ms: number): string {
  const date = new Date(ms)
  const offset = -date.getTimezoneOffset()
  const sign = offset < 0 ? '-' : '+'
  const two = (n: number) => String(Math.trunc(n)).padStart(2, '0')
  const local = new Date(ms + offset * 60_000).toISOString().slice(0, -1)
  return `${local}${sign}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`
}
