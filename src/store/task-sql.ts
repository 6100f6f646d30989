import { type RawBuilder, sql } from 'kysely'
import type { Db, SqlKind } from './tables.ts'

/** How long ago a row changed, ms, by the clock that also wrote `update_at`. */
export function age(kind: SqlKind): RawBuilder<number | string | null> {
  return {
    sqlite: sql<number>`(julianday('now') - julianday(update_at)) * 86400000`,
    mysql: sql<string>`timestampdiff(microsecond, update_at, now(3)) / 1000`,
    postgres: sql<string>`extract(epoch from clock_timestamp() - update_at) * 1000`,
  }[kind]
}

/** Drivers give decimals as text; a stamp that was set by hand may be invalid or in the future. */
export function ageOf(value: number | string | null): number {
  return Math.max(0, Math.round(Number(value))) || 0
}

/**
 * Work on rows of `task` and `execute_task` in one transaction. In PostgreSQL each statement has to
 * see what was committed while it waited for a lock, whatever the server's default is; in MySQL
 * a plain SELECT after the locks does, and SQLite lets only one in.
 */
export function inTransaction<T>(
  db: Db,
  kind: SqlKind,
  work: (transaction: Db) => Promise<T>,
): Promise<T> {
  const begin = db.transaction()
  return (kind === 'postgres' ? begin.setIsolationLevel('read committed') : begin).execute(work)
}

export type LockedTask = { readonly id: number; readonly status: string; readonly extra: string }

/**
 * Rows of `task`, locked: whoever begins or ends runs of a task does this first, so that its status
 * is decided by one at a time. In the order of ids, so that no two wait for each other.
 */
export async function lockTasks(
  transaction: Db,
  kind: SqlKind,
  ids: readonly number[],
): Promise<LockedTask[]> {
  const query = transaction
    .selectFrom('task')
    .select(['id', 'status', 'extra'])
    .where('id', 'in', ids)
    .orderBy('id')
  return (kind === 'sqlite' ? query : query.forUpdate()).execute()
}
