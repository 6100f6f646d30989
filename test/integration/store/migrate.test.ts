import { execFile } from 'node:child_process'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { failLogOn } from '../../../src/failures/fail-log.ts'
import { parseAddress } from '../../../src/store/address.ts'
import { openDatabase } from '../../../src/store/dialect.ts'
import { lacksTables } from '../../../src/store/failure.ts'
import { migrate } from '../../../src/store/migrate.ts'
import { openStore } from '../../../src/store/store.ts'
import { bundled } from '../../support/bundled.mjs'
import { ENGINE_NAMES, ENGINES, type Engine } from '../../support/engines.ts'
import { failRow } from '../../support/fail-rows.ts'
import { recordedLog } from '../../support/logs.ts'

const CHILD = await bundled(`import '${import.meta.dirname}/migrate-and-die.mjs'`)

/** Runs the migrations in another process that dies before its n-th statement. */
function migrateAndDie(url: string, n: number): Promise<'done' | 'killed'> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [CHILD, url, String(n)], (error, stdout, stderr) => {
      if (error?.signal === 'SIGKILL') resolve('killed')
      else if (error) reject(new Error(stderr, { cause: error }))
      else if (stdout === 'done\n') resolve('done')
      else reject(new Error(`unexpected: ${stdout}`))
    })
  })
}

/** Runs them in another process that is KILLed from outside after `ms`, wherever it is then. */
function migrateAndKill(url: string, ms: number): Promise<unknown> {
  return new Promise(resolve => {
    const child = execFile(process.execPath, [CHILD, url, '0'], resolve)
    setTimeout(() => child.kill('SIGKILL'), ms)
  })
}

/** Finishes what another one has begun. */
async function finish(url: string): Promise<void> {
  const store = openStore(url, recordedLog().log)
  await store.migrate()
  await store.close()
}

/** The tables are whole: a row goes in, once. */
async function works(url: string): Promise<void> {
  const store = openStore(url, recordedLog().log)
  try {
    await store.migrate()
    await store.open(failLogOn).append([failRow(), failRow()])
    expect(await store.open(failLogOn).count()).toBe(1)
  } finally {
    await store.close()
  }
}

describe.each(ENGINE_NAMES)('migrations in %s', name => {
  let engine: Engine

  beforeAll(async () => {
    engine = await ENGINES[name]()
  })
  afterAll(() => engine.remove())

  test('before the first, what is missing is the tables and not the database', async () => {
    const store = openStore(engine.freshUrl(), recordedLog().log)
    const error: unknown = await store
      .open(failLogOn)
      .newest({ limit: 1 })
      .catch((one: unknown) => one)
    await store.close()
    expect(lacksTables(error)).toBe(true)
    expect(lacksTables(Object.assign(new Error('unknown'), { code: 'ER_BAD_DB_ERROR' }))).toBe(
      false,
    )
  })

  /** What there is of tables, columns and indexes, to compare two databases by. */
  async function shapeOf(url: string): Promise<unknown> {
    const db = openDatabase(parseAddress(url))
    try {
      const tables = await db.introspection.getTables()
      const columns = tables.map(table => [
        table.name,
        table.columns.map(one => [one.name, one.dataType, one.isNullable]),
      ])
      const done = await db.selectFrom('taskd_migration').select('name').execute()
      return { columns, indexes: await INDEXES[name].execute(db).then(list => list.rows), done }
    } finally {
      await db.destroy()
    }
  }

  test('they make the database and its tables, and doing them again changes nothing', async () => {
    const url = engine.freshUrl()
    const { log, lines } = recordedLog()
    const store = openStore(url, log)
    await store.migrate()
    const shape = await shapeOf(url)
    await store.migrate()
    await store.close()
    expect(await shapeOf(url)).toEqual(shape)
    expect(shape).toMatchObject({ done: [{ name: '001-fail-log' }, { name: '002-task-tables' }] })
    expect(JSON.stringify(shape)).toContain('fail_log_run')
    expect(lines.filter(line => line.message.includes('tables'))).toHaveLength(1)
    await works(url)
  })

  test('eight at once do each of them once', async () => {
    const url = engine.freshUrl()
    const dbs = Array.from({ length: 8 }, () => openDatabase(parseAddress(url)))
    const done = await Promise.all(dbs.map(db => migrate(db, parseAddress(url).kind)))
    await Promise.all(dbs.map(db => db.destroy()))
    expect(done.flat()).toEqual(['001-fail-log', '002-task-tables'])
    await works(url)
  })

  test('killed before any one of their statements, they are finished by the next start', async () => {
    const whole = engine.freshUrl()
    await finish(whole)
    const shape = await shapeOf(whole)
    const url = engine.freshUrl()
    let n = 0
    do {
      n += 1
      const fresh = engine.freshUrl()
      if ((await migrateAndDie(fresh, n)) === 'done') break
      await finish(fresh)
      expect(await shapeOf(fresh)).toEqual(shape)
    } while (n < 100)
    expect(n).toBeGreaterThan(8)
    await works(url)
  }, 120_000)

  test('killed again and again at any moment, they are finished in the end', async () => {
    const url = engine.freshUrl()
    for (let ms = 60; ms < 240; ms += 12) await migrateAndKill(url, ms)
    await works(url)
    const whole = engine.freshUrl()
    await works(whole)
    expect(await shapeOf(url)).toEqual(await shapeOf(whole))
  })

  test('a database that a newer release has migrated is still served', async () => {
    const url = engine.freshUrl()
    await works(url)
    const db = openDatabase(parseAddress(url))
    await db.insertInto('taskd_migration').values({ name: '999-later', done_at: '' }).execute()
    expect(await migrate(db, parseAddress(url).kind)).toEqual([])
    await db.destroy()
    await works(url)
  })
})

const INDEXES = {
  sqlite: sql`
    select name, sql from sqlite_master where type in ('index', 'trigger') order by name`,
  mariadb: sql`
    select table_name as tab, index_name as name, column_name as col, seq_in_index as seq, non_unique as multiple
    from information_schema.statistics where table_schema = database() order by 1, 2, 4`,
  postgres: sql`
    select indexname as name, indexdef as def from pg_indexes
    where schemaname = current_schema()
    union all
    select tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal order by 1`,
} as const
