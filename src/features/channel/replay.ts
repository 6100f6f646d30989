import type { BackoffPolicy } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { messageOf } from '../../lib/errors.ts'
import { Loop } from '../../lib/loop.ts'
import type { Spool } from './spool.ts'
import { type Batch, type ChannelStore, InsertError } from './store.ts'

/** A batch as it waits on disk. */
export interface SpooledBatch extends Batch {
  /** When it came, ISO 8601. */
  readonly at: string
}

export interface ReplayDeps {
  readonly channel: string
  readonly store: ChannelStore
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  /** It is in the table, now or since before. */
  readonly onStored: (batch: SpooledBatch, rows: number) => void
  /** It is in a file. The reason may quote values. */
  readonly onBad: (batch: SpooledBatch) => void
  /** It has to wait. */
  readonly onTrouble: (error: unknown) => void
}

const AWAY: BackoffPolicy = { baseMs: 500, factor: 2, capMs: 30_000, jitter: 0.2 }
export const BUSY: BackoffPolicy = { baseMs: 50, factor: 2, capMs: 1000, jitter: 0.5 }
/**
 * After this many broken connections in a row over one batch, while the server is up, the batch is
 * at fault.
 */
const CUTS = 3
/** No server breaks a connection over fewer characters: 1 MiB even when each takes four bytes. */
const LARGE = 1 << 18

/**
 * Moves what waits on disk into the table, the oldest first:
 *
 *     read -> insert, with a mark of its id in the same transaction -> drop
 *
 * A kill between insert and drop sends the batch again, and its mark says that it is there. A
 * batch that the database will never take is set aside and holds up nothing.
 */
export class Replay {
  readonly #deps: ReplayDeps
  readonly #spool: Spool
  readonly #loop: Loop
  #cuts = 0

  constructor(spool: Spool, deps: ReplayDeps) {
    this.#spool = spool
    this.#deps = deps
    const { clock, random, onTrouble } = deps
    this.#loop = new Loop({
      clock,
      random,
      round: () => this.#sendHead(),
      failed: error => {
        onTrouble(error)
        return error instanceof InsertError && error.failure === 'busy' ? BUSY : AWAY
      },
    })
  }

  start(): void {
    this.#loop.start()
  }

  /** There is something to do. */
  wake(): void {
    this.#loop.nudge()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /** @returns how long to wait for the next batch, ms */
  async #sendHead(): Promise<number> {
    const text = await this.#spool.head()
    if (text === undefined) return Number.POSITIVE_INFINITY
    await this.#send(JSON.parse(text) as SpooledBatch, text.length > LARGE)
    return 0
  }

  async #send(batch: SpooledBatch, large: boolean): Promise<void> {
    const { store, onStored } = this.#deps
    try {
      const { duplicate } = await store.insert(batch)
      onStored(batch, duplicate ? 0 : batch.rows.length)
    } catch (error) {
      const reason = await this.#refusal(error, large)
      await this.#setAside(batch, reason)
      return
    }
    this.#cuts = 0
    await this.#spool.drop()
  }

  /**
   * Why the batch is at fault; throws when the database is. A connection that breaks is the
   * database's fault, unless it breaks again and again over one large batch while the server is
   * well: so a packet that is too large may show. A wait that is too long, for a lock or for a
   * server that hangs, is never a batch's fault.
   */
  async #refusal(error: unknown, large: boolean): Promise<string> {
    if (!(error instanceof InsertError)) throw error
    if (error.failure === 'cut' && large) {
      this.#cuts += 1
      if (this.#cuts < CUTS) throw error
      await this.#deps.store.ping()
    } else if (error.failure !== 'refused') throw error
    return messageOf(error)
  }

  async #setAside(batch: SpooledBatch, reason: string): Promise<void> {
    const { channel, clock, onBad } = this.#deps
    const { id, at, rows } = batch
    const content = { channel, batch: id, at, refused_at: new Date(clock.now()).toISOString() }
    await this.#spool.setAside(id, `${JSON.stringify({ ...content, reason, rows }, null, 1)}\n`)
    this.#cuts = 0
    onBad(batch)
  }
}
