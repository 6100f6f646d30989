import { createHash } from 'node:crypto'
import { type RawBuilder, sql } from 'kysely'
import { codeOf } from '../../lib/errors.ts'
import type { SourceSpec } from '../../model/source.ts'
import { type Address, describeAddress, parseAddress } from '../../store/address.ts'
import { openDatabase } from '../../store/dialect.ts'
import type { AnyDb } from '../../store/migrations/steps.ts'
import type { SqlKind } from '../../store/tables.ts'
import { type RowVerdict, writeVerdicts } from './verdicts.ts'

/** A row that is ready, as the application wrote it. Fields without a column are missing. */
export interface ReadyRow {
  readonly id: string
  readonly script?: unknown
  readonly controller?: unknown
  readonly function?: unknown
  readonly param?: unknown
  readonly priority?: unknown
  /** Text, with an offset where the column has one. */
  readonly startTime?: string | null
}

export interface Claimed {
  /** Rows that were ready and not locked by others. */
  readonly found: number
  /** Rows that were marked. */
  readonly marked: number
}

/** The table of one source. */
export interface SourceTable {
  /** For people: where it is, without the password. */
  readonly address: string
  /** Goes into the claims of rows; the same however the server is reached. */
  readonly mark: string
  /** Cheap. @throws when the table or one of its columns is missing */
  hasReady(): Promise<boolean>
  /**
   * Reads rows that are ready, in the order of their keys, and marks as taken those that `take`
   * names, once it is done with them. Killed in between, the rows are as they were.
   */
  claim(
    limit: number,
    take: (rows: readonly ReadyRow[]) => Promise<readonly string[]>,
  ): Promise<Claimed>
  /** @returns why rows were refused, by their place; the others are written */
  write(verdicts: readonly RowVerdict[]): Promise<ReadonlyMap<number, string>>
  close(): Promise<void>
}

const LIMITS = { connectMs: 3000, queryMs: 10_000, closeMs: 1000, connections: 2 }

export interface SourceTableOptions {
  /** False: as with a server that has no SKIP LOCKED. */
  readonly skipLocked?: boolean
}

/** Connects to nothing before the first statement. @throws TaskdError E_DATABASE_URL */
export function openSourceTable(
  spec: SourceSpec,
  { skipLocked = true }: SourceTableOptions = {},
): SourceTable {
  const address = parseAddress(spec.database)
  const { kind } = address
  const db = openDatabase(address, LIMITS) as AnyDb
  // Qualified: SQLite takes "x" for a text when there is no column x.
  const column = (name: string) => sql.ref(`t.${name}`)
  let columns: readonly RawBuilder<unknown>[] | undefined
  // SQLite would keep everybody else from writing while Redis is asked.
  let locks = skipLocked && kind !== 'sqlite'

  const ready = (on: AnyDb) =>
    on.selectFrom(`${spec.table} as t`).where(column(spec.statusColumn), '=', spec.ready)

  /** Asks for every column once, so that a missing one shows before anything is done. */
  async function prepared(): Promise<readonly RawBuilder<unknown>[]> {
    if (columns !== undefined) return columns
    const all = await columnsOf(db, address, spec)
    const result = spec.resultColumn === undefined ? [] : [column(spec.resultColumn).as('result')]
    await db
      .selectFrom(`${spec.table} as t`)
      .select([...(all as never[]), ...result])
      .limit(0)
      .execute()
    columns = all
    return all
  }

  async function read(on: AnyDb, limit: number, lock: boolean): Promise<ReadyRow[]> {
    const all = await prepared()
    const query = ready(on)
      .select(all as never[])
      .orderBy(column(spec.idColumn))
      .limit(limit)
    const found = await (lock ? query.forUpdate().skipLocked() : query).execute()
    return (found as ReadyRow[]).map(row => ({ ...row, id: keyOf(row.id, spec) }))
  }

  async function mark(on: AnyDb, ids: readonly string[]): Promise<number> {
    if (ids.length === 0) return 0
    const [result] = await on
      .updateTable(`${spec.table} as t`)
      .set({ [spec.statusColumn]: spec.taken })
      .where(column(spec.idColumn), 'in', ids)
      .where(column(spec.statusColumn), '=', spec.ready)
      .execute()
    return Number(result?.numUpdatedRows ?? 0)
  }

  type Take = Parameters<SourceTable['claim']>[1]

  async function claimOn(on: AnyDb, limit: number, lock: boolean, take: Take): Promise<Claimed> {
    const rows = await read(on, limit, lock)
    const marked = rows.length > 0 ? await mark(on, await take(rows)) : 0
    return { found: rows.length, marked }
  }

  /** The rows are locked from the reading to the mark; other nodes pass over them. */
  async function claimLocked(limit: number, take: Take): Promise<Claimed> {
    let first: unknown
    try {
      // REPEATABLE READ would lock the gaps as well, and with them the application's inserts.
      const transaction = db.transaction().setIsolationLevel('read committed')
      return await transaction.execute(async on => {
        try {
          return await claimOn(on, limit, true, take)
        } catch (error) {
          // On a broken connection the rollback fails as well, and would be all that is told.
          first = error
          throw error
        }
      })
    } catch (error) {
      throw first ?? error
    }
  }

  return {
    address: describeAddress(address),
    mark: tableMark(address, spec),
    async hasReady() {
      await prepared()
      const found = await ready(db).select(sql`1`.as('one')).limit(1).execute()
      return found.length > 0
    },
    async claim(limit, take) {
      await prepared()
      if (locks)
        try {
          return await claimLocked(limit, take)
        } catch (error) {
          if (!NO_SUCH_WORDS.has(codeOf(error))) throw error
          locks = false
        }
      return claimOn(db, limit, false, take)
    },
    write: verdicts => writeVerdicts(db, kind, spec, verdicts),
    close: () => db.destroy(),
  }
}

/** A server that does not know SKIP LOCKED. */
const NO_SUCH_WORDS: ReadonlySet<string> = new Set(['ER_PARSE_ERROR', '42601'])

const PARTS = ['script', 'controller', 'function', 'param', 'priority'] as const

async function columnsOf(
  db: AnyDb,
  address: Address,
  spec: SourceSpec,
): Promise<readonly RawBuilder<unknown>[]> {
  const { kind } = address
  const column = (name: string) => sql.ref(`t.${name}`)
  const id = kind === 'sqlite' ? textOf(kind, column(spec.idColumn)) : column(spec.idColumn)
  const all = [id.as('id'), column(spec.statusColumn).as('status')] as unknown[]
  for (const part of PARTS) {
    const name = spec[`${part}Column`]
    if (name !== undefined) all.push(column(name).as(part))
  }
  if (spec.startTimeColumn !== undefined) {
    const text = textOf(kind, column(spec.startTimeColumn))
    const isUtc = kind === 'mysql' && (await isTimestamp(db, spec.table, spec.startTimeColumn))
    all.push((isUtc ? sql`concat(${text}, '+00:00')` : text).as('startTime'))
  }
  return all as RawBuilder<unknown>[]
}

function textOf(kind: SqlKind, what: RawBuilder<unknown>): RawBuilder<unknown> {
  return kind === 'mysql' ? sql`cast(${what} as char)` : sql`cast(${what} as text)`
}

/** An instant, which MySQL shows in the zone of the session; ours is UTC. */
async function isTimestamp(db: AnyDb, table: string, column: string): Promise<boolean> {
  const [name = '', schema] = table.split('.').toReversed()
  const found = await sql<{ type: string }>`
    select data_type as type from information_schema.columns
    where table_name = ${name} and column_name = ${column}
      and table_schema = ${schema === undefined ? sql`database()` : schema}`.execute(db)
  return found.rows[0]?.type.toLowerCase() === 'timestamp'
}

function keyOf(value: unknown, { idColumn }: SourceSpec): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  const wrong = value === null ? 'has a NULL, so it is no key' : 'holds neither numbers nor text'
  throw new Error(
    `the column ${idColumn} ${wrong}. set id_column to a key that is a number or text`,
  )
}

/** Not the server's address: a database that moves takes its rows along. */
function tableMark(address: Address, { table, idColumn }: SourceSpec): string {
  const database =
    address.kind === 'sqlite' ? (address.path.split('/').at(-1) ?? '') : address.database
  return createHash('sha256')
    .update(JSON.stringify([database, table, idColumn]))
    .digest('hex')
    .slice(0, 8)
}
