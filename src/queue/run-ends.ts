import type { Redis } from 'ioredis'
import { badList, RUN_ENDS } from './keys.ts'
import { writeAnyway } from './scripts.ts'

/** How a row of `execute_task` is to end. */
export interface WaitingEnd {
  readonly id: number
  readonly status: 'succ' | 'fail'
  /** JSON. */
  readonly extra: string
}

/**
 * The ends of runs that wait for SQL: workers put them here before the queue is told, and any
 * master takes them to the table. A row has one end, so putting and taking may both be repeated.
 */
export class RunEnds {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  async put({ id, status, extra }: WaitingEnd): Promise<void> {
    const end = JSON.stringify({ status, extra })
    await writeAnyway(this.#redis, [['HSET', RUN_ENDS, id, end]])
  }

  count(): Promise<number> {
    return this.#redis.hlen(RUN_ENDS)
  }

  /** Some of them, about `count`; they stay until they are removed. */
  async read(count: number): Promise<WaitingEnd[]> {
    const ends: WaitingEnd[] = []
    for (let cursor = '0'; ; ) {
      const [next, found] = await this.#redis.hscan(RUN_ENDS, cursor, 'COUNT', count)
      for (let at = 0; at + 1 < found.length; at += 2) {
        const end = readEnd(found[at] ?? '', found[at + 1] ?? '')
        if (end) ends.push(end)
        else await this.#setAside(found[at] ?? '', found[at + 1] ?? '')
      }
      if (next === '0' || ends.length >= count) return ends
      cursor = next
    }
  }

  /** Sets an entry aside that is not ours: otherwise it would be read for ever. */
  async #setAside(field: string, message: string): Promise<void> {
    const reason = 'an entry that is no end of a run'
    const at = new Date().toISOString()
    await this.#redis.lpush(badList(RUN_ENDS), JSON.stringify({ reason, field, message, at }))
    await this.#redis.hdel(RUN_ENDS, field)
  }

  async remove(ids: readonly number[]): Promise<void> {
    if (ids.length > 0) await this.#redis.hdel(RUN_ENDS, ...ids.map(String))
  }

  /** Those of these rows whose end is waiting. */
  async waiting(ids: readonly number[]): Promise<ReadonlySet<number>> {
    if (ids.length === 0) return new Set()
    const found = await this.#redis.hmget(RUN_ENDS, ...ids.map(String))
    return new Set(ids.filter((_, place) => found[place] !== null))
  }
}

function readEnd(field: string, text: string): WaitingEnd | undefined {
  try {
    const { status, extra } = JSON.parse(text) as Partial<WaitingEnd>
    const id = Number(field)
    const fits = Number.isSafeInteger(id) && (status === 'succ' || status === 'fail')
    return fits && typeof extra === 'string' ? { id, status, extra } : undefined
  } catch {
    return undefined
  }
}
