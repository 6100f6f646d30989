import type { Redis } from 'ioredis'
import type { Clock } from '../lib/clock.ts'
import type { FailRow } from '../model/fail-row.ts'
import { OUTBOX } from '../queue/keys.ts'
import type { FailOutbox, OutboxEntry } from './archiver.ts'

/** Other nodes' failures are noticed this late, ours at once. */
const POLL_MS = 1000

/**
 * The stream that workers write failures to. Any node may archive any row: the table refuses the
 * second copy, and only an archived row lets its `Task:Fail` hash expire.
 */
export class RedisOutbox implements FailOutbox {
  readonly #redis: Redis
  readonly #clock: Clock
  readonly #keepMs: () => number
  #wake = new AbortController()

  /** @param keepMs how long an archived `Task:Fail` hash stays, ms */
  constructor(redis: Redis, clock: Clock, keepMs: () => number) {
    this.#redis = redis
    this.#clock = clock
    this.#keepMs = keepMs
  }

  /** There may be something new. */
  nudge(): void {
    this.#wake.abort()
  }

  async read(count: number): Promise<OutboxEntry[]> {
    const entries = await this.#redis.xrange(OUTBOX, '-', '+', 'COUNT', count)
    return entries.flatMap(([id, fields]) => {
      const row = readRow(fields)
      return row ? [{ id, row }] : []
    })
  }

  async remove(ids: string[]): Promise<void> {
    if (ids.length === 0) return
    const reads = this.#redis.pipeline()
    for (const id of ids) reads.xrange(OUTBOX, id, id)
    const replies = (await reads.exec()) ?? []
    const writes = this.#redis.pipeline()
    for (const [, found] of replies) {
      const fields = (found as [string, string[]][] | null)?.[0]?.[1]
      const key = fields && valueOf(fields, 'key')
      if (key) writes.pexpire(key, this.#keepMs())
    }
    await writes.xdel(OUTBOX, ...ids).exec()
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
