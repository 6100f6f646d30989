import type { Redis } from 'ioredis'
import { type Clock, isoWithOffset } from '../lib/clock.ts'
import type { FailRow } from '../model/fail-row.ts'
import { badList, OUTBOX } from '../queue/keys.ts'
import type { Scripts } from '../queue/scripts.ts'
import type { FailOutbox, OutboxEntry } from './archiver.ts'

/** Other nodes' failures are noticed this late, ours at once. */
const POLL_MS = 1000

/**
 * The stream that workers write failures to. Any node may archive any row: the table refuses the
 * second copy, and only an archived row lets its `Task:Fail` hash expire.
 */
export class RedisOutbox implements FailOutbox {
  readonly #redis: Redis & Scripts
  readonly #clock: Clock
  readonly #keepMs: () => number
  #wake = new AbortController()

  /** @param keepMs how long an archived `Task:Fail` hash stays, ms */
  constructor(redis: Redis & Scripts, clock: Clock, keepMs: () => number) {
    this.#redis = redis
    this.#clock = clock
    this.#keepMs = keepMs
  }

  /** There may be something new. */
  nudge(): void {
    this.#wake.abort()
  }

  async read(count: number): Promise<OutboxEntry[]> {
    const found: OutboxEntry[] = []
    const unreadable: [string, string[]][] = []
    for (const [id, fields] of await this.#redis.xrange(OUTBOX, '-', '+', 'COUNT', count)) {
      const row = readRow(fields)
      if (row) found.push({ id, row })
      else unreadable.push([id, fields])
    }
    if (unreadable.length > 0) await this.#setAside(unreadable)
    return found
  }

  /** Sets entries aside that are not ours: they would block the archiver for ever. */
  async #setAside(entries: readonly [string, string[]][]): Promise<void> {
    for (const [id, fields] of entries) {
      const at = isoWithOffset(this.#clock.now())
      const reason = 'an entry of the outbox that is no row of fail_log'
      // In a cluster these are two slots; after a KILL in between the list has the entry twice.
      await this.#redis.lpush(badList(OUTBOX), JSON.stringify({ reason, message: fields, at }))
      await this.#redis.xdel(OUTBOX, id)
    }
  }

  async remove(ids: string[]): Promise<void> {
    if (ids.length === 0) return
    const reads = this.#redis.pipeline()
    for (const id of ids) reads.xrange(OUTBOX, id, id)
    const replies = (await reads.exec()) ?? []
    const expiries = replies.map(async ([, found]) => {
      const fields = (found as [string, string[]][] | null)?.[0]?.[1] ?? []
      const key = valueOf(fields, 'key')
      const attempt = readRow(fields)?.attempt
      if (key && attempt) await this.#redis.expireFail(key, attempt, this.#keepMs())
    })
    await Promise.all(expiries)
    await this.#redis.xdel(OUTBOX, ...ids)
  }

  backlog(): Promise<number> {
    return this.#redis.xlen(OUTBOX)
  }

  async waitForMore(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const until = this.#clock.monotonic() + timeoutMs
    while (!signal.aborted && this.#clock.monotonic() < until) {
      this.#wake = new AbortController()
      if ((await this.backlog()) > 0) return
      const either = AbortSignal.any([signal, this.#wake.signal])
      await this.#clock.sleep(Math.min(POLL_MS, until - this.#clock.monotonic()), either)
    }
  }
}

function valueOf(fields: readonly string[], name: string): string | undefined {
  const at = fields.indexOf(name)
  return at < 0 ? undefined : fields[at + 1]
}

function readRow(fields: readonly string[]): FailRow | undefined {
  try {
    return JSON.parse(valueOf(fields, 'row') ?? '') as FailRow
  } catch {
    return undefined
  }
}
