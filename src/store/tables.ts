import type { ColumnType, Generated, Kysely } from 'kysely'
import type { FailRow } from '../model/fail-row.ts'

export type SqlKind = 'sqlite' | 'mysql' | 'postgres'

export interface FailLogTable extends FailRow {
  /** PostgreSQL's driver gives a bigint as text. */
  readonly id: ColumnType<number | string, undefined, number>
  /** When the row was archived: a UTC timestamp of the database's own kind. */
  readonly created_at: Date | string
}

/** When a row was made or changed: by the database's own clock, UTC, to the second. */
type Stamp = ColumnType<Date | string, undefined, never>

export interface TaskColumns {
  readonly id: Generated<number>
  readonly task_key: string
  readonly execute_func: string
  readonly trigger: string
  readonly spec: string
  readonly args: string
  readonly is_valid: number
  readonly status: string
  readonly extra: Generated<string>
  readonly create_at: Stamp
  readonly update_at: Stamp
}

export interface ExecuteTaskColumns {
  readonly id: Generated<number>
  readonly task_id: number
  readonly status: string
  readonly extra: Generated<string>
  readonly create_at: Stamp
  readonly update_at: Stamp
  /** Only where people have added it. */
  readonly trace_id?: string
}

export interface Tables {
  fail_log: FailLogTable
  task: TaskColumns
  execute_task: ExecuteTaskColumns
  taskd_migration: { readonly name: string; readonly done_at: string }
}

export type Db = Kysely<Tables>

/**
 * The widest values, in characters, of the columns that are indexed or short by nature. All
 * other texts may have 16 MiB in MySQL and more elsewhere.
 */
export const WIDTHS = {
  worker_id: 512,
  task_key: 255,
  start_runtime: 40,
  end_runtime: 40,
  unique_task_id: 255,
  node: 255,
  job: 255,
  kind: 32,
  code: 255,
  signal: 32,
} as const satisfies Partial<Record<keyof FailRow, number>>

/** The columns that hold text, which is all but `attempt` and `exit_code`. */
export const TEXTS = [
  'worker_id',
  'task_key',
  'start_runtime',
  'end_runtime',
  'script',
  'controller',
  'function',
  'param',
  'unique_task_id',
  'node',
  'job',
  'kind',
  'code',
  'msg',
  'signal',
  'output',
] as const satisfies (keyof FailRow)[]
