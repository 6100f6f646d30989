import { type Kysely, sql } from 'kysely'
import { type Clock, realClock } from '../../src/lib/clock.ts'
import { parseAddress } from '../../src/store/address.ts'
import { openDatabase } from '../../src/store/dialect.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import type { NewTaskRow } from '../../src/store/task-table.ts'
import type { Engine } from './engines.ts'
import { recordedLog } from './logs.ts'

/** A store on a database of its own, and somebody else's connection to the same. */
export interface TaskDatabase extends AsyncDisposable {
  readonly store: Store
  readonly url: string
  // oxlint-disable-next-line typescript/no-explicit-any -- anybody may write anything
  readonly db: Kysely<any>
  /** Another store on the same database. */
  another(clock?: Clock): Store
  /** Sends any statement; `trigger` is quoted as the engine wants it. */
  readonly sql: (text: string) => Promise<readonly Readonly<Record<string, unknown>>[]>
}

export interface TaskDatabaseOptions {
  readonly clock?: Clock
  /** Done before the migrations. */
  readonly before?: (database: TaskDatabase) => Promise<unknown>
}

export async function taskDatabase(
  engine: Engine,
  { clock = realClock, before }: TaskDatabaseOptions = {},
): Promise<TaskDatabase> {
  const url = engine.freshUrl()
  const db = openDatabase(parseAddress(url))
  const stores: Store[] = []
  const another = (own: Clock = realClock) => {
    const store = openStore(url, recordedLog().log, own)
    stores.push(store)
    return store
  }
  const database: TaskDatabase = {
    store: another(clock),
    url,
    db,
    another,
    async sql(text) {
      const quoted = url.startsWith('mysql') ? text.replaceAll('"trigger"', '`trigger`') : text
      const { rows } = await sql.raw(quoted).execute(db)
      return rows as Readonly<Record<string, unknown>>[]
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...stores.map(store => store.close()), db.destroy()])
    },
  }
  await before?.(database)
  await database.store.migrate()
  return database
}

export function newTask(values: Partial<NewTaskRow> = {}): NewTaskRow {
  return {
    task_key: 'test_cron',
    execute_func: 'test_cron',
    trigger: 'cron',
    spec: '*/5 * * * *',
    args: '1,"hello"',
    is_valid: true,
    ...values,
  }
}

/** As people write it: by plain SQL. */
export function insertTask(values: Partial<Record<string, string | number>> = {}): string {
  const row = {
    task_key: 'test_cron',
    execute_func: 'test_cron',
    trigger: 'cron',
    spec: '*/5 * * * *',
    args: '1,2,3',
    is_valid: 1,
    status: 'ready',
    ...values,
  }
  const columns = Object.keys(row).map(one => (one === 'trigger' ? `"trigger"` : one))
  const literals = Object.values(row).map(one =>
    typeof one === 'number' ? `${one}` : `'${one.replaceAll("'", "''")}'`,
  )
  return `INSERT INTO task (${columns.join(', ')}) VALUES (${literals.join(', ')})`
}

/** Rows 1 to `count`, all of them valid. */
export async function insertMany({ db }: TaskDatabase, count: number): Promise<void> {
  for (let from = 1; from <= count; from += 500) {
    const rows = Array.from({ length: Math.min(500, count - from + 1) }, (_, place) => ({
      ...newTask({ task_key: `job_number_${from + place}`, args: `${from + place},"hello"` }),
      is_valid: 1,
      status: 'ready',
    }))
    await db.insertInto('task').values(rows).execute()
  }
}
