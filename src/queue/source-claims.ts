import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import { markOf, type SourceClaim, type SourceVerdict } from '../model/source.ts'
import { sourceKeys } from './keys.ts'
import { type Scripts, writeAnyway } from './scripts.ts'

/** What is known of a row that is about to become a task. */
export interface Taken {
  readonly claim: string
  /** Its task is over already: only the row does not say so yet. */
  readonly over: boolean
}

/** A verdict that has not been written to its table. */
export interface WaitingVerdict extends SourceVerdict {
  readonly row: string
  /** The entry in Redis; without `claim` it belongs to an earlier life of the row. */
  readonly text: string
  /** Whether the claim is still open. If not, `taskd retry` has run the task again. */
  readonly open: boolean
}

const PART = 500
const APPLYING_MS = 10_000

/**
 * Which rows of a table are tasks at present, and what became of them. A row has one open claim at
 * a time, from before its task is enqueued until its verdict is in the table: whoever takes it
 * again meanwhile, after a crash, on another node or because somebody set it back to ready, gets
 * the same claim and so the same task id, which the queue takes once.
 */
export class SourceClaims {
  readonly #redis: Redis & Scripts
  readonly #mark: string
  readonly #keys: ReturnType<typeof sourceKeys>

  /** @param mark of the table, see `tableMark` in store/source-table.ts */
  constructor(redis: Redis & Scripts, source: string, mark: string) {
    this.#redis = redis
    this.#mark = mark
    this.#keys = sourceKeys(source, mark)
  }

  /** Opens a claim for each row, or finds the one that is open. */
  async take(rows: readonly string[]): Promise<Taken[]> {
    if (rows.length === 0) return []
    const { claims, verdicts } = this.#keys
    const writes = this.#redis.pipeline()
    for (const row of rows) writes.hsetnx(claims, row, `${this.#mark}-${newClaim()}`)
    writes.hmget(claims, ...rows)
    writes.hmget(verdicts, ...rows)
    const replies = ((await writes.exec()) ?? []).map(([error, value]) => {
      if (error) throw error
      return value
    })
    const [open, over] = replies.slice(-2) as [(string | null)[], (string | null)[]]
    return rows.map((_, n) => {
      const claim = open[n]
      // Only when somebody deletes keys of ours at this very moment.
      if (typeof claim !== 'string') throw new Error('a claim is gone as soon as it was made')
      return { claim, over: claimIn(over[n]) === claim }
    })
  }

  /** All verdicts that are not in the table yet, in parts. */
  async *waiting(): AsyncGenerator<WaitingVerdict[]> {
    const { claims, verdicts } = this.#keys
    let cursor = '0'
    do {
      const [next, found] = await this.#redis.hscan(verdicts, cursor, 'COUNT', PART)
      cursor = next
      const rows = found.filter((_, n) => n % 2 === 0)
      if (rows.length === 0) continue
      const open = await this.#redis.hmget(claims, ...rows)
      yield rows.flatMap((row, n) => {
        const text = found[2 * n + 1] ?? ''
        const verdict = read(text)
        const claim = open[n] ?? null
        // It belongs to an earlier life of the row; a new one has begun.
        if (!verdict || (claim !== null && claim !== verdict.claim)) return { ...NONE, row, text }
        return { ...verdict, row, text, open: claim !== null }
      })
    } while (cursor !== '0')
  }

  /** Forgets verdicts that have been written, and their claims; unless there is a newer one. */
  async settle(verdicts: readonly WaitingVerdict[]): Promise<void> {
    if (verdicts.length === 0) return
    const { claims, verdicts: waiting } = this.#keys
    const fields = verdicts.flatMap(({ row, claim, text }) => [row, claim, text])
    await this.#redis.sourceSettle(claims, waiting, ...fields)
  }

  /** Rows that are tasks, and those of them whose verdict is not in the table yet. */
  async counts(): Promise<{ readonly open: number; readonly backlog: number }> {
    const { claims, verdicts } = this.#keys
    const [open, backlog] = await Promise.all([
      this.#redis.hlen(claims),
      this.#redis.hlen(verdicts),
    ])
    return { open, backlog }
  }

  backlog(): Promise<number> {
    return this.#redis.hlen(this.#keys.verdicts)
  }

  /** Only one of several nodes writes at a time; two would do the same work. */
  async begin(): Promise<boolean> {
    return (await this.#redis.set(this.#keys.applying, '1', 'PX', APPLYING_MS, 'NX')) === 'OK'
  }

  async end(): Promise<void> {
    await this.#redis.del(this.#keys.applying)
  }
}

/**
 * Records how the task of a row ended, for a master to put it into the table. Must be done
 * before the queue is told, so that no end of a task is lost.
 */
export async function recordSourceVerdict(
  redis: Redis,
  { source, row, claim }: SourceClaim,
  verdict: Omit<SourceVerdict, 'claim'>,
): Promise<void> {
  const { verdicts } = sourceKeys(source, markOf(claim))
  await writeAnyway(redis, [['HSET', verdicts, row, JSON.stringify({ claim, ...verdict })]])
}

/** Stands for a verdict that changes nothing and is to be forgotten. */
const NONE = { claim: '', succeeded: false, answer: '', open: false }

function newClaim(): string {
  return Date.now().toString(36) + randomBytes(4).toString('hex')
}

function read(text: string): SourceVerdict | undefined {
  try {
    const { claim, succeeded, answer } = JSON.parse(text) as Record<string, unknown>
    if (typeof claim !== 'string' || typeof answer !== 'string') return undefined
    return { claim, succeeded: succeeded === true, answer }
  } catch {
    return undefined
  }
}

function claimIn(text: string | null | undefined): string | undefined {
  return typeof text === 'string' ? read(text)?.claim : undefined
}
