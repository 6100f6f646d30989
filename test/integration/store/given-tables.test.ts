import { execFile } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { failLogOn } from '../../../src/failures/fail-log.ts'
import { openStore } from '../../../src/store/store.ts'
import { bundled } from '../../support/bundled.mjs'
import { ENGINE_NAMES, ENGINES, type Engine } from '../../support/engines.ts'
import { failRow } from '../../support/fail-rows.ts'
import { givenTables } from '../../support/given-tables.ts'
import { recordedLog } from '../../support/logs.ts'
import { insertTask, newTask, type TaskDatabase, taskDatabase } from '../../support/task-tables.ts'

const CHILD = await bundled(`import '${import.meta.dirname}/migrate-and-die.mjs'`)
const IDENTITY = { unique_task_id: 't', attempt: 1, worker_id: 'a-1', node: 'a' }

/** Migrates in another process, which dies before its n-th statement. */
function migrateAndDie(url: string, n: number): Promise<'done' | 'killed'> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [CHILD, url, String(n)], (error, stdout, stderr) => {
      if (error?.signal === 'SIGKILL') resolve('killed')
      else if (stdout === 'done\n') resolve('done')
      else reject(new Error(stderr, { cause: error }))
    })
  })
}

/** Everything that is done with the two tables. */
async function works({ store, sql: send }: TaskDatabase): Promise<void> {
  const { tasks, runRows } = store
  await send(insertTask({ task_key: 'by hand' }))
  const [row] = (await tasks.poll()).changed.filter(one => one.task_key === 'by hand')
  expect(row).toMatchObject({ args: '1,2,3', is_valid: true, extra: '{}', status: 'ready' })
  const id = await tasks.add(newTask({ task_key: 'by us' }))
  await tasks.change('by us', { is_valid: false, spec: '30' })
  await tasks.noteProblem(id, 'no such function')
  expect((await tasks.poll()).changed).toMatchObject([{ id, is_valid: false, spec: '30' }])
  const run = await runRows.begin(row?.id ?? 0, IDENTITY)
  expect(await runRows.doing()).toMatchObject([{ id: run, task_id: row?.id }])
  await runRows.end([{ id: run, status: 'succ', extra: '{"code":"succ"}' }])
  expect(await tasks.find('by hand')).toMatchObject({ status: 'ready' })
  expect(await runRows.history({ limit: 1 })).toMatchObject([{ id: run, status: 'succ' }])
  await send(`DELETE FROM task WHERE task_key LIKE 'by %'`)
  expect((await tasks.poll()).gone).toHaveLength(2)
}

const shown = async ({ sql: send }: TaskDatabase, table: string) =>
  String((await send(`SHOW CREATE TABLE ${table}`))[0]?.['Create Table'])

const withoutOurs = (text: string) =>
  text
    .split('\n')
    .filter(line => !line.includes('ix__execute_task'))
    .join('\n')
    .replace(/,\n\)/, '\n)')

describe('tables that people made in MariaDB', () => {
  let engine: Engine

  beforeAll(async () => {
    engine = await ENGINES.mariadb()
  })
  afterAll(() => engine.remove())

  const give = async ({ sql: send }: TaskDatabase) => {
    for (const statement of givenTables()) await send(statement)
  }

  test('they stay as they are but for two indexes, and all of it works on them', async () => {
    let task = ''
    let executeTask = ''
    await using database = await taskDatabase(engine, {
      before: async raw => {
        await give(raw)
        await raw.sql(insertTask({ task_key: 'long here' }))
        task = (await shown(raw, 'task')).replace(/ AUTO_INCREMENT=\d+/, '')
        executeTask = await shown(raw, 'execute_task')
      },
    })
    expect((await shown(database, 'task')).replace(/ AUTO_INCREMENT=\d+/, '')).toBe(task)
    const now = await shown(database, 'execute_task')
    expect(withoutOurs(now)).toBe(executeTask)
    expect(now.match(/KEY `ix__execute_task\w+`/g)).toHaveLength(2)
    await works(database)
    expect(await database.store.tasks.list()).toMatchObject([{ task_key: 'long here' }])
  })

  test('those that the migrations make are the same to the letter', async () => {
    await using ours = await taskDatabase(engine)
    await using given = await taskDatabase(engine, { before: give })
    for (const table of ['task', 'execute_task'])
      expect(await shown(ours, table)).toBe(await shown(given, table))
  })

  test('killed before any one of its statements, the migration of given tables is finished', async () => {
    await using whole = await taskDatabase(engine, { before: give })
    let n = 0
    for (;;) {
      n += 1
      let ended = ''
      await using database = await taskDatabase(engine, {
        before: async raw => {
          await give(raw)
          ended = await migrateAndDie(raw.url, n)
        },
      })
      for (const table of ['task', 'execute_task'])
        expect(await shown(database, table)).toBe(await shown(whole, table))
      if (ended !== 'done') continue
      await works(database)
      break
    }
    expect(n).toBeGreaterThan(12)
  }, 120_000)

  test('an index that we may not add is done without', async () => {
    await using database = await taskDatabase(engine, { before: give })
    await database.sql('DROP INDEX ix__execute_task__task_id ON execute_task')
    await database.sql('DROP INDEX ix__execute_task__status_task_id ON execute_task')
    await database.sql(`DELETE FROM taskd_migration WHERE name = '002-task-tables'`)
    const schema = /task_schedule_\d+/.exec(database.url)?.[0]
    await database.sql('CREATE USER guest@localhost')
    await database.sql(
      `GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON ${schema}.* TO guest@localhost`,
    )
    const store = openStore(database.url.replace('root@', 'guest@'), recordedLog().log)
    await store.migrate()
    await works({ ...database, store })
    await store.close()
    expect(await shown(database, 'execute_task')).not.toContain('ix__execute_task')
  })

  test('with a key of folded case in it, both rows run and the later one says so', async () => {
    await using database = await taskDatabase(engine, { before: give })
    const { tasks, runRows } = database.store
    await database.sql(insertTask({ task_key: 'Daily' }))
    const one = await runRows.begin(1, IDENTITY)
    await database.sql(insertTask({ task_key: 'daily' }))
    const two = await runRows.begin(2, IDENTITY)
    expect((await tasks.find('daily'))?.extra).toContain('is that of row 1 as well')
    expect(await tasks.find('Daily')).toMatchObject({ id: 1, extra: '{}' })
    await runRows.end([one, two].map(id => ({ id, status: 'succ', extra: '{}' })))
    expect(await runRows.doing()).toEqual([])
  })
})

describe('tables that belong to somebody else in PostgreSQL', () => {
  test('what only their owner may add is done without', async () => {
    await using engine = await ENGINES.postgres()
    await using database = await taskDatabase(engine)
    await database.sql('DROP INDEX ix__execute_task__task_id, ix__execute_task__status_task_id')
    await database.sql('DROP TRIGGER task_update_at ON task')
    await database.sql(`DELETE FROM taskd_migration WHERE name = '002-task-tables'`)
    await database.sql('CREATE ROLE guest LOGIN')
    await database.sql('GRANT ALL ON ALL TABLES IN SCHEMA public TO guest')
    await database.sql('GRANT CREATE, USAGE ON SCHEMA public TO guest')
    const store = openStore(database.url.replace('postgres@', 'guest@'), recordedLog().log)
    await store.migrate()
    await works({ ...database, store })
    await store.close()
    expect(await database.sql(`SELECT 1 FROM pg_trigger WHERE tgname = 'task_update_at'`)).toEqual(
      [],
    )
    expect(await database.sql('SELECT name FROM taskd_migration')).toHaveLength(2)
  })
})

describe.each(ENGINE_NAMES)('in %s', name => {
  test('a table task that is none of ours is left alone, and fail_log works beside it', async () => {
    await using engine = await ENGINES[name]()
    await using database = await taskDatabase(engine, {
      before: async raw => {
        await raw.sql('CREATE TABLE task (id integer, title varchar(50))')
        await raw.sql('CREATE TABLE execute_task (title varchar(50))')
        await raw.sql(`INSERT INTO task (id, title) VALUES (1, 'mine')`)
      },
    })
    const { store } = database
    await expect(store.tasks.poll()).rejects.toThrow(/task_key/)
    await store.open(failLogOn).append([failRow()])
    expect(await store.open(failLogOn).count()).toBe(1)
    await database.sql(`UPDATE task SET title = 'still mine'`)
    expect(await database.sql('SELECT * FROM task')).toEqual([{ id: 1, title: 'still mine' }])
  })

  test('tables made by the migrations take hand-written rows and all the work', async () => {
    await using engine = await ENGINES[name]()
    await using database = await taskDatabase(engine)
    await works(database)
    expect(await database.store.tasks.list()).toEqual([])
  })
})
