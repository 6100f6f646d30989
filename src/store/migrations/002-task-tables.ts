import { type CreateTableBuilder, sql } from 'kysely'
import { codeOf } from '../../lib/errors.ts'
import type { SqlKind } from '../tables.ts'
import type { Migration, Steps } from './steps.ts'

/**
 * Jobs that are kept in SQL, and their runs. Tables that are there already, made by the statements
 * that people have had for years, stay as they are: only what helps is added. `task` is a common
 * name, so a table of somebody else's may be there; that one is left alone.
 */
export const taskTables: Migration = {
  name: '002-task-tables',
  async up(step) {
    const before = await columnsOf(step)
    // MySQL asks for the right to create a table even when it is there.
    if (!before.has('task')) await create(step, 'task', TASK_MYSQL, taskColumns)
    if (!before.has('execute_task'))
      await create(step, 'execute_task', EXECUTE_TASK_MYSQL, executeTaskColumns)
    const there = await columnsOf(step)
    const ours = (['task', 'execute_task'] as const).filter(table =>
      COLUMNS[table].every(column => there.get(table)?.has(column)),
    )
    await ifAllowed(step, async () => {
      if (ours.includes('execute_task')) await indexRuns(step)
      for (const table of ours) await touchOnUpdate(step, table)
    })
  },
}

async function create(
  step: Steps,
  name: string,
  mysql: string,
  columns: (table: Table, step: Steps) => Table,
): Promise<void> {
  if (step.kind === 'mysql') await sql.raw(mysql).execute(step.db)
  else await step.createTable(name, table => columns(table, step))
}

/** For what is doing, of all tasks or of one; and for the history of one. */
async function indexRuns(step: Steps): Promise<void> {
  const name = 'ix__execute_task__status_task_id'
  await step.createIndex(name, 'execute_task', ['status', 'task_id'])
  await step.createIndex('ix__execute_task__task_id', 'execute_task', ['task_id', 'id'])
}

type Table = CreateTableBuilder<string, string>

/** MySQL takes the default of a text in brackets only; MariaDB drops them. */
const TASK_MYSQL = `CREATE TABLE IF NOT EXISTS \`task\` (
  \`id\` int(11) NOT NULL AUTO_INCREMENT COMMENT '主键自增',
  \`task_key\` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL COMMENT '任务唯一标识',
  \`execute_func\` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL COMMENT '任务执行的方法',
  \`trigger\` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL COMMENT '调度方式(cron/date/interval)',
  \`spec\` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL COMMENT '调度时间',
  \`args\` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL DEFAULT '' COMMENT '执行方法的args参数',
  \`is_valid\` int(11) NOT NULL COMMENT '是否有效',
  \`status\` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL COMMENT '执行状态(ready/doing)',
  \`extra\` text CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL DEFAULT ('{}') COMMENT '额外信息',
  \`create_at\` timestamp(0) NOT NULL DEFAULT CURRENT_TIMESTAMP(0) COMMENT '创建时间',
  \`update_at\` timestamp(0) NOT NULL DEFAULT CURRENT_TIMESTAMP(0) ON UPDATE CURRENT_TIMESTAMP(0) COMMENT '更新时间',
  PRIMARY KEY (\`id\`) USING BTREE,
  UNIQUE INDEX \`ux__task__task_key_status\`(\`task_key\`, \`status\`) USING BTREE COMMENT 'task_key/status唯一索引'
) ENGINE = InnoDB AUTO_INCREMENT = 1 CHARACTER SET = utf8mb4 ROW_FORMAT = Dynamic`

const EXECUTE_TASK_MYSQL = `CREATE TABLE IF NOT EXISTS \`execute_task\` (
  \`id\` int(11) NOT NULL AUTO_INCREMENT COMMENT '主键自增',
  \`task_id\` int(11) NOT NULL COMMENT '任务ID',
  \`status\` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL COMMENT '执行状态',
  \`extra\` text CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL DEFAULT ('{}') COMMENT '额外信息',
  \`create_at\` timestamp(0) NOT NULL DEFAULT CURRENT_TIMESTAMP(0) COMMENT '创建时间',
  \`update_at\` timestamp(0) NOT NULL DEFAULT CURRENT_TIMESTAMP(0) ON UPDATE CURRENT_TIMESTAMP(0) COMMENT '更新时间',
  PRIMARY KEY (\`id\`) USING BTREE
) ENGINE = InnoDB AUTO_INCREMENT = 1 CHARACTER SET = utf8mb4 ROW_FORMAT = Dynamic`

/** To the second, as the others have it; PostgreSQL would round up. */
const NOW = {
  sqlite: 'current_timestamp',
  postgres: `date_trunc('second', clock_timestamp())`,
} as const

function taskColumns(table: Table, step: Steps): Table {
  return ending(
    counted(table, step)
      .addColumn('task_key', 'varchar(255)', one => one.notNull())
      .addColumn('execute_func', 'varchar(255)', one => one.notNull())
      .addColumn('trigger', 'varchar(255)', one => one.notNull())
      .addColumn('spec', 'varchar(255)', one => one.notNull())
      .addColumn('args', 'varchar(255)', one => one.notNull().defaultTo(''))
      .addColumn('is_valid', 'integer', one => one.notNull())
      .addColumn('status', 'varchar(255)', one => one.notNull()),
    step.kind,
  ).addUniqueConstraint('ux__task__task_key_status', ['task_key', 'status'])
}

function executeTaskColumns(table: Table, step: Steps): Table {
  return ending(
    counted(table, step)
      .addColumn('task_id', 'integer', one => one.notNull())
      .addColumn('status', 'varchar(255)', one => one.notNull()),
    step.kind,
  )
}

function counted(table: Table, { kind }: Steps): Table {
  const serial =
    kind === 'postgres'
      ? 'integer generated by default as identity primary key'
      : 'integer primary key autoincrement'
  return table.addColumn('id', sql.raw(serial))
}

function ending(table: Table, kind: SqlKind): Table {
  const type = sql.raw(kind === 'postgres' ? 'timestamptz(0)' : 'text')
  const now = sql.raw(kind === 'postgres' ? NOW.postgres : NOW.sqlite)
  return table
    .addColumn('extra', 'text', one => one.notNull().defaultTo('{}'))
    .addColumn('create_at', type, one => one.notNull().defaultTo(now))
    .addColumn('update_at', type, one => one.notNull().defaultTo(now))
}

const COLUMNS = {
  task: [
    'id',
    'task_key',
    'execute_func',
    'trigger',
    'spec',
    'args',
    'is_valid',
    'status',
    'extra',
    'create_at',
    'update_at',
  ],
  execute_task: ['id', 'task_id', 'status', 'extra', 'create_at', 'update_at'],
} as const

/** MySQL's ON UPDATE: an UPDATE that changes something and does not set `update_at` moves it. */
async function touchOnUpdate({ db, kind }: Steps, table: keyof typeof COLUMNS): Promise<void> {
  if (kind === 'mysql') return
  const name = `${table}_update_at`
  if (kind === 'postgres') {
    await sql
      .raw(
        `create or replace function taskd_touch_update_at() returns trigger language plpgsql as
         $$ begin new.update_at := ${NOW.postgres}; return new; end $$`,
      )
      .execute(db)
    await sql.raw(`drop trigger if exists ${name} on ${table}`).execute(db)
    await sql
      .raw(
        `create trigger ${name} before update on ${table} for each row
         when (old.* is distinct from new.* and old.update_at is not distinct from new.update_at)
         execute procedure taskd_touch_update_at()`,
      )
      .execute(db)
    return
  }
  const differs = COLUMNS[table].map(one => `old."${one}" is not new."${one}"`).join(' or ')
  await sql
    .raw(
      `create trigger if not exists ${name} after update on ${table} for each row
       when old.update_at is new.update_at and (${differs})
       begin update ${table} set update_at = ${NOW.sqlite} where id = new.id; end`,
    )
    .execute(db)
}

/** The columns of those of the two tables that are there. */
async function columnsOf({ db, kind }: Steps): Promise<Map<string, Set<string>>> {
  const names = sql`('task', 'execute_task')`
  const query = {
    sqlite: sql<Found>`
      select 'task' as tab, name from pragma_table_info('task') union all
      select 'execute_task', name from pragma_table_info('execute_task')`,
    mysql: sql<Found>`
      select table_name as tab, column_name as name from information_schema.columns
      where table_schema = database() and table_name in ${names}`,
    postgres: sql<Found>`
      select table_name as tab, column_name as name from information_schema.columns
      where table_schema = current_schema() and table_name in ${names}`,
  }[kind]
  const { rows } = await query.execute(db)
  const tables = new Map<string, Set<string>>()
  for (const { tab, name } of rows) tables.set(tab, (tables.get(tab) ?? new Set()).add(name))
  return tables
}

interface Found {
  readonly tab: string
  readonly name: string
}

/**
 * What only helps is left out where we may not do it: the tables may belong to somebody else, who
 * lets us read and write.
 */
async function ifAllowed({ db, kind }: Steps, work: () => Promise<void>): Promise<void> {
  const savepoint = async (what: string) => {
    if (kind === 'postgres') await sql.raw(`${what} helps`).execute(db)
  }
  await savepoint('savepoint')
  try {
    await work()
  } catch (error) {
    if (!FORBIDDEN.has(codeOf(error))) throw error
    await savepoint('rollback to savepoint')
  }
  await savepoint('release savepoint')
}

const FORBIDDEN: ReadonlySet<string> = new Set([
  '42501', // insufficient_privilege
  'ER_TABLEACCESS_DENIED_ERROR',
  'ER_DBACCESS_DENIED_ERROR',
])
