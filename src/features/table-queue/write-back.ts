import type { BackoffPolicy } from '../../lib/backoff.ts'
import { type Clock, isoWithOffset } from '../../lib/clock.ts'
import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { Loop } from '../../lib/loop.ts'
import { type Condition, Trouble } from '../../lib/trouble.ts'
import type { SourceSpec } from '../../model/source.ts'
import type { SourceClaims, WaitingVerdict } from '../../queue/source-claims.ts'
import { failureOf } from '../../store/failure.ts'
import { ofRedis, RedisError } from './of-redis.ts'
import type { SourceTable } from './table.ts'

export interface WriteBackDeps {
  readonly spec: SourceSpec
  readonly table: SourceTable
  readonly claims: SourceClaims
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

interface Refused {
  readonly reason: string
  /** Wall time, ms. */
  readonly since: number
  /** Monotonic, ms. */
  readonly againAt: number
}

/** Verdicts of other nodes are noticed this late, ours at once. */
const POLL_MS = 1000
/** How long the first verdict waits for more. */
const COMPANY_MS = 100
const AWAY: BackoffPolicy = { baseMs: 500, factor: 2, capMs: 15_000, jitter: 0.3 }
const BUSY: BackoffPolicy = { baseMs: 50, factor: 2, capMs: 1000, jitter: 0.5 }
const ASIDE_MS = 600_000
/** How long the last verdicts may take when the daemon stops. */
const LAST_MS = 2000

/**
 * Puts into the table what became of its rows:
 *
 *     read verdicts -> update -> forget them and their claims
 *
 * A kill before the last step repeats the update, which finds the rows changed. While the database
 * is away verdicts stay in Redis.
 */
export class WriteBack {
  readonly #deps: WriteBackDeps
  readonly #trouble: Trouble
  readonly #loop: Loop
  /** Verdicts that the table refuses, by their row. */
  readonly #aside = new Map<string, Refused>()
  written = 0

  constructor(deps: WriteBackDeps) {
    this.#deps = deps
    const { spec, clock, random, log } = deps
    this.#loop = new Loop({
      clock,
      random,
      gatherMs: COMPANY_MS,
      round: async () => {
        await this.#pass()
        return POLL_MS
      },
      failed: error => this.#policyFor(error),
    })
    this.#trouble = new Trouble(clock, {
      began: error => {
        const what = { source: spec.name, error: messageOf(error) }
        log.warn(what, 'what became of rows cannot be written: it waits in Redis until it can')
      },
      ended: away_s => log.info({ source: spec.name, away_s }, 'rows learn again how they ended'),
    })
  }

  /** A result that is missing from its row counts as a trouble, however well the database is. */
  get condition(): Condition {
    const [first] = this.#aside.values()
    if (first === undefined || !this.#trouble.ok) return this.#trouble.condition
    const results = this.#aside.size === 1 ? '1 result' : `${this.#aside.size} results`
    const error = `the table refuses ${results}: ${first.reason}`
    return { ok: false, error, since: isoWithOffset(first.since) }
  }

  start(): void {
    this.#loop.start()
  }

  nudge(): void {
    this.#loop.nudge()
  }

  async stop(): Promise<void> {
    const ran = this.#loop.running
    await this.#loop.stop()
    if (!ran || !this.#trouble.ok) return
    const enough = new AbortController()
    const last = this.#pass().catch(() => undefined)
    await Promise.race([last, this.#deps.clock.sleep(LAST_MS, enough.signal)])
    enough.abort()
  }

  #policyFor(error: unknown): BackoffPolicy {
    if (error instanceof RedisError || failureOf(error) === 'busy') return BUSY
    this.#trouble.note(error)
    return AWAY
  }

  /** All verdicts that wait. */
  async #pass(): Promise<void> {
    const { claims } = this.#deps
    if ((await ofRedis(claims.backlog())) === 0) return this.#nothingWaits()
    if (!(await ofRedis(claims.begin()))) return
    const seen = new Set<string>()
    try {
      const parts = claims.waiting()
      for (;;) {
        const { value, done } = await ofRedis(parts.next())
        if (done) break
        for (const one of value) seen.add(one.row)
        await this.#apply(value)
      }
      // Results that another node has written no longer wait.
      for (const row of this.#aside.keys()) if (!seen.has(row)) this.#aside.delete(row)
    } finally {
      await claims.end().catch(() => undefined)
    }
  }

  /** Another node may have written everything: then no write of our own shows that all is well. */
  #nothingWaits(): void {
    this.#aside.clear()
    this.#trouble.clear()
  }

  async #apply(part: readonly WaitingVerdict[]): Promise<void> {
    const { claims, table } = this.#deps
    const now = this.#deps.clock.monotonic()
    const due = part.filter(one => (this.#aside.get(one.row)?.againAt ?? 0) <= now)
    const live = due.filter(one => one.claim !== '')
    const refused = live.length === 0 ? new Map() : await table.write(live.map(this.#rowOf))
    for (const [place, reason] of refused) this.#setAside(live[place], String(reason))
    const written = live.filter((_, place) => !refused.has(place))
    this.#trouble.clear()
    await ofRedis(claims.settle([...written, ...due.filter(one => one.claim === '')]))
    for (const one of written) this.#aside.delete(one.row)
    this.written += written.length
  }

  /**
   * A claim that is open belongs to a row that is taken, or is about to be. One that is not was
   * run again by hand: then its row says how it ended before.
   */
  readonly #rowOf = ({ row, succeeded, answer, open }: WaitingVerdict) => {
    const { ready, taken, done, failed } = this.#deps.spec
    const from = open ? [ready, taken] : [taken, failed]
    return { row, from, to: succeeded ? done : failed, answer }
  }

  #setAside(verdict: WaitingVerdict | undefined, error: string): void {
    if (verdict === undefined) return
    const { clock, log, spec } = this.#deps
    const since = this.#aside.get(verdict.row)?.since ?? clock.now()
    this.#aside.set(verdict.row, { reason: error, since, againAt: clock.monotonic() + ASIDE_MS })
    log.error(
      { source: spec.name, row: verdict.row, error },
      'a table refuses what became of its row: it stays in Redis and is tried again in 10 minutes',
    )
  }
}
