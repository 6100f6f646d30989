import { type RawBuilder, sql } from 'kysely'
import type { Db, SqlKind } from './tables.ts'
import { age, ageOf } from './task-sql.ts'
import type { TaskRow } from './task-types.ts'

/** Rows of `task`, by id. */
export async function readTasks(
  db: Db,
  kind: SqlKind,
  where: RawBuilder<unknown>,
  limit?: number,
): Promise<TaskRow[]> {
  const query = db
    .selectFrom('task')
    .select(['id', 'task_key', 'execute_func', 'trigger', 'spec', 'args', 'is_valid', 'status'])
    .select(['extra', age(kind).as('age')])
    .where(sql<boolean>`${where}`)
    .orderBy('id')
  const rows: readonly Raw[] = await (limit === undefined ? query : query.limit(limit)).execute()
  return rows.map(row => ({
    id: Number(row.id),
    task_key: text(row.task_key),
    execute_func: text(row.execute_func),
    trigger: text(row.trigger),
    spec: text(row.spec),
    args: text(row.args),
    is_valid: Number(row.is_valid) !== 0,
    status: text(row.status),
    extra: text(row.extra),
    ageMs: ageOf(row.age),
  }))
}

/** Whatever its columns are declared as, SQLite takes values of any type into them. */
type Raw = Readonly<Record<Exclude<keyof TaskRow, 'ageMs'>, unknown>> & {
  readonly age: number | string | null
}

function text(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value)
}
