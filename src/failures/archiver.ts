import { type BackoffPolicy, backoffDelay } from '../lib/backoff.ts'
import { messageOf } from '../lib/errors.ts'
import type { Service } from '../lib/service.ts'
import type { FailRow } from '../model/fail-row.ts'
import { failureOf } from '../store/failure.ts'
import type { Store } from '../store/store.ts'
import { createDelivery, type Deliver, type DeliveryDeps } from './deliver.ts'

export interface OutboxEntry {
  readonly id: string
  readonly row: FailRow
}

/** Where failed runs wait until they are in SQL. */
export interface FailOutbox {
  /** The oldest entries; they stay until they are removed. */
  read(count: number): Promise<OutboxEntry[]>
  remove(ids: string[]): Promise<void>
  backlog(): Promise<number>
  /**
   * Resolves when there is something more than at the last `read`, be it put before or after this
   * call; after `timeoutMs`; or when `signal` aborts.
   */
  waitForMore(timeoutMs: number, signal: AbortSignal): Promise<void>
}

export interface ArchiverStatus {
  /** Whether the database took all that it was asked to; undefined until it was asked. */
  readonly ok: boolean | undefined
  /**
   * Rows that wait, those set aside among them, as of the last look (5 s ago at most while the
   * database is away); undefined when the outbox did not tell.
   */
  readonly backlog: number | undefined
  readonly error?: string
  /** Since when it is as it is, ms. */
  readonly since: number
  /** Rows stored since the start. */
  readonly archived: number
  /** Rows that the database refuses even after they were cut; they stay in the outbox. */
  readonly aside: number
}

export interface ArchiverDeps extends DeliveryDeps {
  readonly outbox: FailOutbox
  readonly store: Pick<Store, 'ping' | 'migrate'>
}

export interface Archiver extends Service {
  status(): ArchiverStatus
}

const BATCH = 100
/** How long one wait for more rows is; in between, the database is asked whether it is there. */
const IDLE_MS = 10_000
const BACKLOG_EVERY_MS = 5000
const AWAY: BackoffPolicy = { baseMs: 1000, factor: 2, capMs: 30_000, jitter: 0.2 }
const OUTBOX_AWAY: BackoffPolicy = { ...AWAY, capMs: 5000 }
/** With more than this, the cause is no longer single rows. */
const MOST_ASIDE = 100
const ASIDE_AGAIN_MS = 600_000

/**
 * Moves rows from the outbox to the table `fail_log`:
 *
 *     read up to 100 -> append -> remove -> again
 *
 * A kill between append and remove repeats the append, which does nothing the second time. While
 * the database is away rows stay where they are, and it is tried again after 1 s, 2 s, … 30 s.
 */
export function createArchiver(deps: ArchiverDeps): Archiver {
  return new FailArchiver(deps)
}

/** The outbox failed, which says nothing about the database. */
class OutboxError extends Error {}

class FailArchiver implements Archiver {
  readonly name = 'archiver'
  readonly #deps: ArchiverDeps
  readonly #deliver: Deliver
  #abort: AbortController | undefined
  #loop: Promise<void> = Promise.resolve()
  #migrated = false
  #archived = 0
  #backlog: number | undefined
  #asked = false
  #wellSince: number
  #trouble: { readonly error: string; readonly since: number; readonly byPing: boolean } | undefined
  /** Refused rows by their id in the outbox, with the reason. */
  #aside = new Map<string, string>()
  #asideSince: number | undefined
  #asideUntil = 0

  constructor(deps: ArchiverDeps) {
    this.#deps = deps
    this.#deliver = createDelivery(deps)
    this.#wellSince = deps.clock.now()
  }

  /** Neither fails nor waits when the database is away. */
  start(): Promise<void> {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      this.#loop = this.#run(this.#abort.signal)
    }
    return Promise.resolve()
  }

  async stop(): Promise<void> {
    this.#abort?.abort()
    await this.#loop
    this.#abort = undefined
  }

  status(): ArchiverStatus {
    const trouble = this.#trouble ?? this.#refusals()
    return {
      ok: this.#asked ? trouble === undefined : undefined,
      backlog: this.#backlog,
      since: trouble?.since ?? this.#wellSince,
      ...(trouble && { error: trouble.error }),
      archived: this.#archived,
      aside: this.#aside.size,
    }
  }

  /** Rows that are missing from fail_log count as a trouble, however well the database is. */
  #refusals(): { readonly error: string; readonly since: number } | undefined {
    const [why] = this.#aside.values()
    if (why === undefined || this.#asideSince === undefined) return undefined
    const rows = this.#aside.size === 1 ? '1 row' : `${this.#aside.size} rows`
    return { error: `fail_log refuses ${rows}: ${why}`, since: this.#asideSince }
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#round(signal)
        failures = 0
      } catch (error) {
        failures += 1
        this.#note(error)
        if (error instanceof OutboxError) await this.#ping()
        await this.#pause(error instanceof OutboxError ? OUTBOX_AWAY : AWAY, failures, signal)
      }
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { store, outbox, clock } = this.#deps
    this.#backlog = await ofOutbox(outbox.backlog())
    if (!this.#migrated) {
      await store.migrate()
      this.#migrated = true
    }
    const entries = await this.#readNew()
    if (entries.length > 0) return this.#archive(entries, signal)
    await store.ping()
    this.#well()
    if (this.#aside.size === 0 && this.#asideSince !== undefined) {
      this.#asideSince = undefined
      this.#wellSince = clock.now()
    }
    await ofOutbox(outbox.waitForMore(IDLE_MS, signal))
    // Rows set aside may count as "more"; they must not make this a busy loop.
    if (this.#aside.size > 0) await clock.sleep(AWAY.baseMs, signal)
  }

  async #readNew(): Promise<OutboxEntry[]> {
    if (this.#deps.clock.monotonic() >= this.#asideUntil) this.#aside = new Map()
    if (this.#aside.size >= MOST_ASIDE)
      throw new Error(`fail_log refuses every row: ${this.#aside.values().next().value}`)
    const entries = await ofOutbox(this.#deps.outbox.read(BATCH + this.#aside.size))
    return entries.filter(entry => !this.#aside.has(entry.id)).slice(0, BATCH)
  }

  async #archive(entries: OutboxEntry[], signal: AbortSignal): Promise<void> {
    const rows = entries.map(entry => entry.row)
    const refused = await this.#deliver(rows, signal)
    this.#well()
    for (const [place, why] of refused) this.#setAside(entries[place], why)
    const stored = entries.filter((_, place) => !refused.has(place)).map(entry => entry.id)
    if (stored.length === 0) return
    await ofOutbox(this.#deps.outbox.remove(stored))
    this.#archived += stored.length
    this.#backlog = Math.max(0, (this.#backlog ?? 0) - stored.length)
  }

  #setAside(entry: OutboxEntry | undefined, why: string): void {
    if (entry === undefined) return
    const { clock, log } = this.#deps
    if (this.#aside.size === 0) this.#asideUntil = clock.monotonic() + ASIDE_AGAIN_MS
    this.#asideSince ??= clock.now()
    this.#aside.set(entry.id, why)
    log.error(
      { task: entry.row.unique_task_id, attempt: entry.row.attempt, error: why },
      'fail_log refuses a row even when cut: it stays in Redis and is tried again in 10 minutes',
    )
  }

  /** Looks at the database itself, whatever the outbox does. Rows that it refused before stay a trouble. */
  async #ping(): Promise<void> {
    try {
      await this.#deps.store.ping()
      this.#asked = true
      if (this.#trouble?.byPing) this.#well()
    } catch (error) {
      this.#note(error, true)
    }
  }

  #note(error: unknown, byPing = false): void {
    const { clock, log } = this.#deps
    const message = messageOf(error)
    if (error instanceof OutboxError) {
      this.#backlog = undefined
      log.debug({ error: message }, 'the outbox of failed runs does not answer')
      return
    }
    this.#asked = true
    if (failureOf(error) === 'missing') this.#migrated = false
    if (this.#trouble === undefined)
      log.warn(
        { error: message, backlog: this.#backlog },
        'fail_log cannot be written: failed runs wait in Redis until it can',
      )
    const { since = clock.now(), byPing: before = true } = this.#trouble ?? {}
    this.#trouble = { error: message, since, byPing: byPing && before }
  }

  #well(): void {
    this.#asked = true
    if (this.#trouble === undefined) return
    const away_s = Math.round((this.#deps.clock.now() - this.#trouble.since) / 1000)
    this.#trouble = undefined
    this.#wellSince = this.#deps.clock.now()
    this.#deps.log.info({ away_s, backlog: this.#backlog }, 'fail_log can be written again')
  }

  /** Keeps the backlog that people see fresh meanwhile. */
  async #pause(policy: BackoffPolicy, failures: number, signal: AbortSignal): Promise<void> {
    const { clock, outbox, random } = this.#deps
    const end = clock.monotonic() + backoffDelay(policy, failures, random())
    for (;;) {
      const left = end - clock.monotonic()
      if (left <= 0 || signal.aborted) return
      await clock.sleep(Math.min(left, BACKLOG_EVERY_MS), signal)
      this.#backlog = await outbox.backlog().catch(() => undefined)
    }
  }
}

async function ofOutbox<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new OutboxError(messageOf(error), { cause: error })
  }
}
