import { sql } from 'kysely'
import type { Clock } from '../../lib/clock.ts'
import { messageOf } from '../../lib/errors.ts'
import { Turns } from '../../lib/turns.ts'
import type { ChannelSpec, StoredRow } from '../../model/channel.ts'
import { describeAddress, parseAddress } from '../../store/address.ts'
import { openDatabase } from '../../store/dialect.ts'
import { failureOf, type SqlFailure } from '../../store/failure.ts'
import type { AnyDb } from '../../store/migrations/steps.ts'
import { ensureMarks, mark, markedRows, pruneMarks } from './marks.ts'
import { chunks, insertChunk } from './rows.ts'

export interface Batch {
  /** Under which it is stored once, however often it comes. */
  readonly id: string
  readonly rows: readonly StoredRow[]
}

export interface Insertion {
  /** True when this batch was stored before: nothing was stored now. */
  readonly duplicate: boolean
  readonly rows: number
}

/** The table of one channel. */
export interface ChannelStore {
  /** For people: where it is, without the password. */
  readonly address: string
  /** All rows or none. @throws InsertError */
  insert(batch: Batch): Promise<Insertion>
  /** Resolves when the database answers. */
  ping(): Promise<void>
  /** Forgets the ids of batches that were stored before. */
  prune(beforeMs: number): Promise<void>
  close(): Promise<void>
}

/** Why a batch is not stored, or may not be. */
export class InsertError extends Error {
  readonly failure: SqlFailure

  /** @param message what the database said; it may quote values */
  constructor(failure: SqlFailure, message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'InsertError'
    this.failure = failure
  }
}

/** Batches that are stored at once; more wait their turn. */
export const CONNECTIONS = 2
const LIMITS = { connectMs: 3000, queryMs: 10_000, closeMs: 1000, connections: CONNECTIONS + 1 }
/** SQLite works on our thread: everything else gets a turn now and then. */
const SLICE_MS = 20

/** Connects to nothing before the first insert. @throws TaskdError E_DATABASE_URL */
export function openChannelStore(
  spec: ChannelSpec,
  clock: Pick<Clock, 'now'>,
  wrap: (db: AnyDb) => AnyDb = db => db,
): ChannelStore {
  const address = parseAddress(spec.database)
  const { kind } = address
  const db = wrap(openDatabase(address, LIMITS) as AnyDb)
  const turns = new Turns(SLICE_MS)
  let ready = false

  async function store({ id, rows }: Batch): Promise<Insertion> {
    const stored = { channel: spec.name, batch_id: id, row_count: rows.length }
    let place = ''
    let first: unknown
    try {
      await db.transaction().execute(async transaction => {
        try {
          const done_at = clock.now()
          if (!(await mark(transaction, { ...stored, done_at }))) throw new MarkedAlready()
          let from = 0
          for (const chunk of chunks(rows, kind)) {
            place = placeOf(from, chunk.length)
            await turns.wait()
            await insertChunk(transaction, kind, spec, chunk)
            from += chunk.length
          }
          place = ''
        } catch (error) {
          // On a broken connection the rollback fails as well, and would be all that is told.
          first = error
          throw error
        }
      })
      return { duplicate: false, rows: rows.length }
    } catch (error) {
      const cause = first ?? error
      if (!(cause instanceof MarkedAlready)) throw insertError(cause, place)
    }
    return { duplicate: true, rows: (await markedRows(db, spec.name, id)) ?? rows.length }
  }

  return {
    address: describeAddress(address),
    async insert(batch) {
      try {
        if (!ready) await ensureMarks(db, kind)
        ready = true
        return await store(batch)
      } catch (error) {
        const failed = error instanceof InsertError ? error : insertError(error, '')
        if (failed.failure === 'missing') ready = false
        throw failed
      }
    },
    async ping() {
      await sql`select 1`.execute(db)
    },
    prune: beforeMs => pruneMarks(db, spec.name, beforeMs),
    close: () => db.destroy(),
  }
}

/** Rolls the transaction back. */
class MarkedAlready extends Error {}

function placeOf(from: number, count: number): string {
  return count === 1 ? `rows[${from}]: ` : `rows[${from}] to rows[${from + count - 1}]: `
}

function insertError(error: unknown, place: string): InsertError {
  const failure = failureOf(error)
  const where = failure === 'refused' ? place : ''
  return new InsertError(failure, where + messageOf(error), error)
}
