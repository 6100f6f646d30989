import { failureOf, isDuplicate } from '../../store/failure.ts'
import { type AnyDb, stepsOn } from '../../store/migrations/steps.ts'
import type { SqlKind } from '../../store/tables.ts'

/**
 * The table `taskd_spool` beside the tables of channels: one row for each batch, written in the
 * batch's own transaction. So a batch that comes again, because nobody knows whether it went in, is
 * known by its row and not stored twice.
 */
const TABLE = 'taskd_spool'

export interface Mark {
  readonly channel: string
  readonly batch_id: string
  readonly row_count: number
  /** ms since 1970. */
  readonly done_at: number
}

/** Makes the table when it is missing; a user who may not create one finds it made, or is told. */
export async function ensureMarks(db: AnyDb, kind: SqlKind): Promise<void> {
  if (await isThere(db)) return
  const steps = await stepsOn(db, kind)
  try {
    await steps.createTable(TABLE, table =>
      table
        .addColumn('channel', steps.exactText(64), one => one.notNull())
        .addColumn('batch_id', steps.exactText(160), one => one.notNull())
        .addColumn('row_count', 'integer', one => one.notNull())
        .addColumn('done_at', 'bigint', one => one.notNull())
        .addPrimaryKeyConstraint('taskd_spool_key', ['channel', 'batch_id']),
    )
    await steps.createIndex('taskd_spool_done_at', TABLE, ['done_at'])
  } catch (error) {
    // Two nodes at once: PostgreSQL's "if not exists" may lose that race.
    if (!(await isThere(db))) throw error
  }
}

async function isThere(db: AnyDb): Promise<boolean> {
  try {
    await db.selectFrom(TABLE).select('row_count').limit(1).execute()
    return true
  } catch (error) {
    if (failureOf(error) === 'missing') return false
    throw error
  }
}

/** @returns false when the batch is marked already */
export async function mark(db: AnyDb, one: Mark): Promise<boolean> {
  try {
    await db.insertInto(TABLE).values(one).execute()
    return true
  } catch (error) {
    if (isDuplicate(error)) return false
    throw error
  }
}

/** How many rows the batch had that is marked. */
export async function markedRows(
  db: AnyDb,
  channel: string,
  batchId: string,
): Promise<number | undefined> {
  const row = await db
    .selectFrom(TABLE)
    .select('row_count')
    .where('channel', '=', channel)
    .where('batch_id', '=', batchId)
    .executeTakeFirst()
  return row === undefined ? undefined : Number(row['row_count'])
}

/** Forgets the batches of a channel that were stored before. */
export async function pruneMarks(db: AnyDb, channel: string, beforeMs: number): Promise<void> {
  await db
    .deleteFrom(TABLE)
    .where('channel', '=', channel)
    .where('done_at', '<', beforeMs)
    .execute()
}
