import { randomUUID } from 'node:crypto'
import { turns } from '../../api/body.ts'
import { backoffDelay } from '../../lib/backoff.ts'
import { type Clock, isoWithOffset } from '../../lib/clock.ts'
import { codeOf, messageOf, TaskdError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Service } from '../../lib/service.ts'
import { Slots } from '../../lib/slots.ts'
import { Trouble } from '../../lib/trouble.ts'
import type { ChannelSpec } from '../../model/channel.ts'
import { type CheckedRows, rowChecker } from './check-rows.ts'
import type { DataAnswer, DataBatch } from './data-port.ts'
import type { Encryption } from './encryption.ts'
import { badRows, spoolFailed, tooBusy } from './refusals.ts'
import { BUSY, Replay, type SpooledBatch } from './replay.ts'
import { Spool, SpoolFullError } from './spool.ts'
import type { ChannelStatus } from './status.ts'
import { type Batch, type ChannelStore, CONNECTIONS, InsertError } from './store.ts'

export interface ChannelDeps {
  readonly spec: ChannelSpec
  /** The folder of what waits. */
  readonly dir: string
  readonly store: ChannelStore
  readonly encryption: Encryption
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly log: Logger
  /** Rows that were stored before a reload made this channel anew. */
  readonly inserted: number
}

/** Each holds its rows in memory. */
const MAX_WAITING = 64
const BUSY_TRIES = 5
/** How long requests in progress may take when it stops. */
const STOP_MS = 2000
const PRUNE_EVERY_MS = 3_600_000
/** How long a repeated batch is recognised. */
const REMEMBER_MS = 7 * 86_400_000

/** The way into one table: directly, or by the disk while the database is away. */
export class Channel implements Service {
  readonly name: string
  readonly spec: ChannelSpec
  readonly encryption: Encryption
  readonly #deps: ChannelDeps
  readonly #slots = new Slots(CONNECTIONS, MAX_WAITING)
  readonly #inProgress = new Set<Promise<unknown>>()
  /** Ids that clients gave to batches which wait on disk. */
  readonly #pending = new Set<string>()
  #spool: Promise<Spool> | undefined
  #replay: Replay | undefined
  readonly #trouble: Trouble
  #inserted: number
  #pruned: number

  constructor(deps: ChannelDeps) {
    const { spec, clock, encryption, log } = deps
    this.name = `channel ${spec.name}`
    this.spec = spec
    this.encryption = encryption
    this.#deps = deps
    this.#inserted = deps.inserted
    this.#trouble = new Trouble(clock, {
      began: error => {
        const what = {
          channel: spec.name,
          error: messageOf(error),
          code: codeOf(error),
          errcode: '200',
        }
        log.warn(what, 'a channel cannot fill its table: batches wait on disk until it can')
      },
      ended: away_s => log.info({ channel: spec.name, away_s }, 'a channel fills its table again'),
    })
    this.#pruned = clock.monotonic()
  }

  get inserted(): number {
    return this.#inserted
  }

  /** Neither fails nor waits when the database, or the disk, is away. */
  async start(): Promise<void> {
    await this.#openSpool().catch((error: unknown) => {
      this.#trouble.note(error)
    })
  }

  async stop(): Promise<void> {
    const { clock, store } = this.#deps
    const all = Promise.allSettled(this.#inProgress)
    await Promise.race([all, clock.sleep(STOP_MS)])
    await this.#replay?.stop()
    // What is still under way fails, and goes to the disk.
    await store.close()
    await all
    await this.#spool?.then(spool => spool.close()).catch(() => undefined)
  }

  /** @throws TaskdError E_BAD_ROWS, E_FULL, E_DATABASE_AWAY */
  async insert({ rows, batchId }: DataBatch): Promise<DataAnswer> {
    const { spec } = this.#deps
    if (rows.length > spec.maxRows)
      throw new TaskdError(
        'E_BAD_ROWS',
        `${rows.length} rows are more than channel ${spec.name} takes at once (max_rows = ${spec.maxRows})`,
        'send them in several batches',
      )
    const work = this.#insert(rows, batchId)
    this.#inProgress.add(work)
    try {
      return await work
    } finally {
      this.#inProgress.delete(work)
    }
  }

  async #insert(sent: readonly unknown[], batchId: string | undefined): Promise<DataAnswer> {
    const checked = await this.#check(await this.encryption.encrypt(sent, { once: true }))
    if (!checked.ok) throw badRows(this.spec.name, checked.problems, checked.more)
    if (checked.rows.length === 0) return { inserted: 0 }
    // Two kinds of ids that cannot be mixed up.
    const id = batchId === undefined ? `taskd:${randomUUID()}` : `client:${batchId}`
    const batch = { id, rows: checked.rows }
    const spool = await this.#openSpool().catch((error: unknown) => {
      throw spoolFailed(this.spec, error)
    })
    if (spool.batches > 0) return this.#keep(spool, batch)
    const answer = this.#slots.tryRun(async () => {
      // While it waited in line, one before it may have found the database away.
      if (spool.batches > 0) return this.#keep(spool, batch)
      return this.#insertNow(spool, batch)
    })
    if (answer === undefined) throw tooBusy(this.spec.name)
    return answer
  }

  async #check(rows: readonly unknown[]): Promise<CheckedRows> {
    const checker = rowChecker(this.spec)
    for (const row of rows) {
      await turns.wait()
      checker.add(row)
    }
    return checker.result()
  }

  async #insertNow(spool: Spool, batch: Batch): Promise<DataAnswer> {
    const { store, clock, random } = this.#deps
    for (let tries = 1; ; tries += 1)
      try {
        const { duplicate, rows } = await store.insert(batch)
        this.#trouble.clear()
        if (duplicate) return { inserted: rows, duplicate }
        this.#inserted += rows
        this.#prune()
        return { inserted: rows }
      } catch (error) {
        if (error instanceof InsertError && error.failure === 'refused') {
          this.#trouble.clear()
          throw badRows(this.spec.name, [error.message], 0)
        }
        const busy = error instanceof InsertError && error.failure === 'busy'
        if (!busy || tries === BUSY_TRIES) {
          this.#trouble.note(error)
          // Under the same id, since nobody may know whether it has gone in.
          return this.#keep(spool, batch)
        }
        await clock.sleep(backoffDelay(BUSY, tries, random()))
      }
  }

  async #keep(spool: Spool, batch: Batch): Promise<DataAnswer> {
    const spooled = batch.rows.length
    if (this.#pending.has(batch.id)) return { spooled, duplicate: true }
    const kept = { ...batch, at: isoWithOffset(this.#deps.clock.now()) } satisfies SpooledBatch
    try {
      await spool.append(JSON.stringify(kept))
    } catch (error) {
      if (!(error instanceof SpoolFullError)) this.#trouble.note(error)
      throw spoolFailed(this.spec, error)
    }
    if (batch.id.startsWith('client:')) this.#pending.add(batch.id)
    this.#replay?.wake()
    return { spooled }
  }

  async status(): Promise<ChannelStatus> {
    const { spec, store } = this.#deps
    const spool = await this.#spool?.catch(() => undefined)
    const bad = await spool?.countBad().catch(() => undefined)
    return {
      name: spec.name,
      table: spec.table,
      database: store.address,
      ...this.#trouble.condition,
      backlog: spool?.batches ?? 0,
      backlog_bytes: spool?.bytes ?? 0,
      bad: bad?.count ?? 0,
      inserted: this.#inserted,
    }
  }

  /** Tried again by the next call, when the disk did not let us. */
  #openSpool(): Promise<Spool> {
    this.#spool ??= this.#makeSpool().catch((error: unknown) => {
      this.#spool = undefined
      throw error
    })
    return this.#spool
  }

  async #makeSpool(): Promise<Spool> {
    const { dir, store, clock, random, log } = this.#deps
    const spool = await Spool.open({
      dir,
      maxBytes: this.spec.spoolMax,
      onCorrupt: file =>
        log.error({ channel: this.spec.name, dir, file }, 'the disk gave a batch back changed'),
    })
    this.#replay = new Replay(spool, {
      channel: this.spec.name,
      store,
      clock,
      random,
      onStored: (batch, rows) => {
        this.#pending.delete(batch.id)
        this.#inserted += rows
        this.#trouble.clear()
      },
      onBad: batch => {
        this.#pending.delete(batch.id)
        this.#trouble.clear()
        log.error(
          { channel: this.spec.name, batch: batch.id, rows: batch.rows.length, dir },
          'the database refused a batch that had waited: it lies in a .bad file, with the reason',
        )
      },
      onTrouble: error => this.#trouble.note(error),
    })
    this.#replay.start()
    return spool
  }

  /** Only when nothing waits: a waiting batch may be in the table already, and must be recognised. */
  #prune(): void {
    const { clock, store, log } = this.#deps
    if (clock.monotonic() - this.#pruned < PRUNE_EVERY_MS) return
    this.#pruned = clock.monotonic()
    store.prune(clock.now() - REMEMBER_MS).catch((error: unknown) => {
      log.debug({ channel: this.spec.name, error: messageOf(error) }, 'taskd_spool was not pruned')
    })
  }
}
