import { setTimeout as delay } from 'node:timers/promises'

/** A timer that can be cancelled. */
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

/** Node's longest timer, 24.8 days; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    for (let left = Math.max(0, ms); ; left -= LONGEST_TIMER_MS) {
      if (signal?.aborted) return
      const part = Math.min(left, LONGEST_TIMER_MS)
      await delay(part, undefined, signal ? { signal } : {}).catch(() => undefined)
      if (left <= LONGEST_TIMER_MS) return
    }
  },
  setTimer(ms, fn) {
    let handle: NodeJS.Timeout
    const wait = (left: number) => {
      const rest = left - LONGEST_TIMER_MS
      const part = Math.min(Math.max(0, left), LONGEST_TIMER_MS)
      handle = setTimeout(() => (rest > 0 ? wait(rest) : fn()), part)
      handle.unref()
    }
    wait(ms)
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
