import { sql } from 'kysely'
import { parseAddress } from '../../src/store/address.ts'
import { openDatabase } from '../../src/store/dialect.ts'
import type { SqlServer } from '../support/servers.ts'
import type { ExecuteRow, FailedRun, SourceRow } from './history.ts'

/** The database as an application and its owner see it: straight, not through a proxy. */
export interface TestTables extends AsyncDisposable {
  /** Rows of the table queue, in one transaction. @returns their ids */
  insertRows(rows: readonly { readonly how: string; readonly ms: number }[]): Promise<number[]>
  insertTask(name: string, spec: string, args: string): Promise<void>
  setValid(name: string, valid: boolean): Promise<void>
  failLog(): Promise<FailedRun[]>
  executeTask(): Promise<ExecuteRow[]>
  sourceRows(): Promise<SourceRow[]>
  /** Locks a table against everybody for as long as `during` takes. */
  locked(table: string, during: () => Promise<void>): Promise<void>
}

const STATES = ['ready', 'taken', 'done', 'failed'] as const
/** As much of `extra` of a run as is asked for. */
interface Extra {
  readonly kind?: string
  readonly unique_task_id?: string
}
type Any = Readonly<Record<string, unknown>>

export async function openTables(server: SqlServer): Promise<TestTables> {
  const admin = openDatabase(parseAddress(server.urlOf('mysql')))
  await sql`create database shop`.execute(admin)
  await sql`create database task_schedule character set utf8mb4`.execute(admin)
  await sql`create table shop.shop_rows (id bigint auto_increment primary key,
    status tinyint not null default 0, how varchar(20) not null, ms text not null, result text,
    key by_status (status, id)) engine = InnoDB`.execute(admin)
  const all = async (query: string) => {
    const { rows } = await sql.raw(query).execute(admin)
    return rows as readonly Any[]
  }
  return {
    async insertRows(rows) {
      return admin.transaction().execute(async transaction => {
        const ids: number[] = []
        for (const { how, ms } of rows) {
          const insert = sql`insert into shop.shop_rows (how, ms) values (${how}, ${String(ms)})`
          const { insertId } = await insert.execute(transaction)
          ids.push(Number(insertId))
        }
        return ids
      })
    },
    async insertTask(name, spec, args) {
      await sql`insert into task_schedule.task (task_key, execute_func, \`trigger\`, spec, args,
        is_valid, status) values (${name}, 'beat', 'interval', ${spec}, ${args}, 1, 'ready')`.execute(
        admin,
      )
    },
    async setValid(name, valid) {
      await sql`update task_schedule.task set is_valid = ${valid ? 1 : 0}
        where task_key = ${name}`.execute(admin)
    },
    async failLog() {
      const rows = await all('select unique_task_id, attempt, kind from task_schedule.fail_log')
      return rows.map(row => ({
        id: String(row['unique_task_id']),
        attempt: Number(row['attempt']),
        kind: String(row['kind']),
      }))
    },
    async executeTask() {
      const rows = await all('select id, status, extra from task_schedule.execute_task order by id')
      return rows.map(row => {
        const { kind = '', unique_task_id: taskId = '' } = JSON.parse(String(row['extra'])) as Extra
        return { id: Number(row['id']), status: String(row['status']), kind, taskId }
      })
    },
    async sourceRows() {
      const rows = await all('select id, status from shop.shop_rows order by id')
      return rows.map(row => ({
        row: Number(row['id']),
        status: STATES[Number(row['status'])] ?? 'ready',
      }))
    },
    locked: (table, during) =>
      admin.connection().execute(async one => {
        await sql.raw(`lock tables ${table} write`).execute(one)
        try {
          await during()
        } finally {
          await sql`unlock tables`.execute(one)
        }
      }),
    [Symbol.asyncDispose]: () => admin.destroy(),
  }
}
