import { sql } from 'kysely'
import { codeOf, messageOf, TaskdError } from '../lib/errors.ts'
import type { Db, SqlKind } from './tables.ts'

/** The columns of `execute_task` beside those that we know. */
export interface RunColumns {
  /** How many characters `trace_id` holds; 0 for any number, undefined where there is no such column. */
  readonly traceId: number | undefined
  /** Foreign columns that need a value and have no default: with them no run can get a row. */
  readonly needed: readonly string[]
}

const OURS: readonly string[] = [
  'id',
  'task_id',
  'status',
  'extra',
  'create_at',
  'update_at',
  'trace_id',
]

interface Column {
  readonly name: string
  /** 1 for a column that needs a value. */
  readonly needed: number | string | boolean
  readonly most: number | string | null
}

/** Reads the columns of the table, to which people may have added their own. */
export async function readRunColumns(db: Db, kind: SqlKind): Promise<RunColumns> {
  const { rows } = await COLUMNS[kind].execute(db)
  const trace = rows.find(one => one.name === 'trace_id')
  return {
    traceId: trace && Number(trace.most ?? 0),
    needed: rows
      .filter(one => Boolean(Number(one.needed)) && !OURS.includes(one.name))
      .map(one => one.name),
  }
}

const COLUMNS = {
  sqlite: sql<Column>`select name, "notnull" = 1 and dflt_value is null and pk = 0 as needed,
    null as most from pragma_table_info('execute_task')`,
  mysql: sql<Column>`select column_name as name, is_nullable = 'NO' and column_default is null
    and extra not like '%auto_increment%' and extra not like '%GENERATED%' as needed,
    character_maximum_length as most from information_schema.columns
    where table_schema = database() and table_name = 'execute_task'`,
  postgres: sql<Column>`select attname as name, (attnotnull and not atthasdef
    and attidentity = '')::int as needed,
    case when atttypmod > 4 and atttypid in ('varchar'::regtype, 'bpchar'::regtype)
      then atttypmod - 4 end as most
    from pg_attribute where attrelid = 'execute_task'::regclass and attnum > 0
    and not attisdropped`,
} as const

/** What a database says of a column that is not there, or that got no value. */
export function isAboutColumns(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'SQLITE_ERROR' ? / column /.test(messageOf(error)) : CODES.includes(code)
}

const CODES: readonly string[] = [
  'SQLITE_CONSTRAINT_NOTNULL',
  'ER_BAD_FIELD_ERROR',
  'ER_NO_DEFAULT_FOR_FIELD',
  '23502', // not_null_violation
  '42703', // undefined_column
]

/** The end of it, as much as the column holds: the end tells runs apart. */
export function fittedTo(most: number, traceId: string): string {
  return most === 0 ? traceId : Array.from(traceId).slice(-most).join('')
}

export function unfilled(needed: readonly string[]): TaskdError {
  return new TaskdError(
    'E_TABLE',
    `execute_task has columns that taskd does not know and that must have a value: ${needed.join(', ')}`,
    'give each a default, or let it be NULL: ALTER TABLE execute_task …',
  )
}
