import type { InsertQueryBuilder, InsertResult } from 'kysely'
import type { SqlKind, Tables } from './tables.ts'

/** Inserts one row. @returns the number that the database gave it */
export async function insertedId<T extends 'task' | 'execute_task'>(
  kind: SqlKind,
  insert: InsertQueryBuilder<Tables, T, InsertResult>,
): Promise<number> {
  if (kind !== 'postgres') return Number((await insert.executeTakeFirstOrThrow()).insertId)
  const row = await insert.returning('id as id').executeTakeFirstOrThrow()
  return (row as { readonly id: number }).id
}
