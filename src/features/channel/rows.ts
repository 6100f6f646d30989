import type { ChannelSpec, Stored, StoredRow } from '../../model/channel.ts'
import type { AnyDb } from '../../store/migrations/steps.ts'
import type { SqlKind } from '../../store/tables.ts'

/** The least of what the three take in one statement, with room: a packet, parameters, a parse. */
const CHUNK_ROWS = 500
const CHUNK_VALUES = 30_000
const CHUNK_CHARACTERS = 1 << 20

/** Rows for one statement each, in their order. */
export function* chunks(
  rows: readonly StoredRow[],
  kind: SqlKind,
): Generator<readonly StoredRow[]> {
  let from = 0
  let width = 0
  let characters = 0
  let shape = ''
  for (const [at, row] of rows.entries()) {
    const keys = Object.keys(row)
    const size = sizeOf(row)
    const count = at - from
    const wider = Math.max(width, keys.length)
    const own = kind === 'sqlite' ? keys.toSorted().join() : ''
    const full =
      count === CHUNK_ROWS ||
      (count + 1) * wider > CHUNK_VALUES ||
      characters + size > CHUNK_CHARACTERS ||
      // SQLite has no DEFAULT among values, so rows that leave out the same go together.
      own !== shape
    if (full && count > 0) {
      yield rows.slice(from, at)
      from = at
      width = 0
      characters = 0
    }
    shape = own
    width = Math.max(width, keys.length)
    characters += size
  }
  if (from < rows.length) yield rows.slice(from)
}

function sizeOf(row: StoredRow): number {
  let size = 0
  for (const value of Object.values(row)) size += typeof value === 'string' ? value.length : 8
  return size
}

export async function insertChunk(
  db: AnyDb,
  kind: SqlKind,
  spec: Pick<ChannelSpec, 'table' | 'columns'>,
  rows: readonly StoredRow[],
): Promise<void> {
  const times = new Set(spec.columns.filter(one => one.type === 'time').map(one => one.column))
  const fit = (column: string, value: Stored) => fitted(kind, times.has(column), value)
  const values = rows.map(row =>
    Object.fromEntries(Object.entries(row).map(([column, value]) => [column, fit(column, value)])),
  )
  // A row that sets nothing is a row of defaults, for which SQL has words of its own.
  if (values.every(row => Object.keys(row).length === 0)) await insertDefaults(db, kind, spec, rows)
  else await db.insertInto(spec.table).values(values).execute()
}

async function insertDefaults(
  db: AnyDb,
  kind: SqlKind,
  { table }: Pick<ChannelSpec, 'table'>,
  rows: readonly StoredRow[],
): Promise<void> {
  for (const _ of rows)
    await (kind === 'mysql'
      ? db.insertInto(table).values({}).execute()
      : db.insertInto(table).defaultValues().execute())
}

/** SQLite and MySQL have no boolean, and only PostgreSQL has times that know their zone. */
function fitted(kind: SqlKind, isTime: boolean, value: Stored): Stored {
  if (typeof value === 'boolean' && kind !== 'postgres') return value ? 1 : 0
  if (isTime && typeof value === 'string' && kind === 'postgres') return `${value}+00`
  return value
}
