import type { Redis } from 'ioredis'
import { DAY_COUNTS_MS, dayCounts } from './keys.ts'

/** How often a key's life is renewed at most. */
const RENEW_MS = 3_600_000
const MINUTE_MS = 60_000

/** The calendar day of an instant in a time zone, `2026-11-21`. The first one takes 10 ms. */
export function dayOf(ms: number, timezone: string): string {
  return formatOf(timezone).format(ms)
}

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone)
  if (!format) {
    // Sweden writes dates as ISO 8601 does.
    const options = { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' } as const
    format = new Intl.DateTimeFormat('sv-SE', options)
    formats.set(timeZone, format)
  }
  return format
}

/**
 * Counts final verdicts by day. Nobody waits for it: it goes out in the write that settles the
 * task, and what a Redis that takes no write loses is one of a count.
 */
export class DayCounts {
  readonly #redis: Redis
  readonly #timezone: () => string
  #key = ''
  #minute = -1
  #renewedAt = Number.NEGATIVE_INFINITY

  constructor(redis: Redis, timezone: () => string) {
    this.#redis = redis
    this.#timezone = timezone
  }

  /** @param now wall time, ms */
  add(succeeded: boolean, now: number): void {
    // No day ends within a minute, wherever.
    const minute = Math.floor(now / MINUTE_MS)
    if (minute !== this.#minute) this.#turn(minute, now)
    forget(this.#redis.hincrby(this.#key, succeeded ? 'success' : 'failure', 1))
    if (Math.abs(now - this.#renewedAt) < RENEW_MS) return
    this.#renewedAt = now
    forget(this.#redis.pexpire(this.#key, DAY_COUNTS_MS))
  }

  #turn(minute: number, now: number): void {
    this.#minute = minute
    const key = dayCounts(dayOf(now, this.#timezone()))
    if (key !== this.#key) this.#renewedAt = Number.NEGATIVE_INFINITY
    this.#key = key
  }
}

/** How many tasks ended on a day. */
export async function readDayCount(
  redis: Redis,
  day: string,
  which: 'success' | 'failure',
): Promise<number> {
  return Number((await redis.hget(dayCounts(day), which)) ?? 0)
}

function forget(reply: Promise<unknown>): void {
  reply.catch(() => undefined)
}
