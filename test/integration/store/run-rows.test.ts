import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import { bundled } from '../../support/bundled.mjs'
import { ENGINE_NAMES, ENGINES, type Engine } from '../../support/engines.ts'
import { insertMany, insertTask, taskDatabase } from '../../support/task-tables.ts'

const identity = (task: string, attempt = 1) => ({
  unique_task_id: task,
  attempt,
  worker_id: 'a-async_tasks-1',
  node: 'a',
})
const succ = (id: number, extra = '{"code":"succ"}') => ({ id, status: 'succ' as const, extra })
const fail = (id: number, extra = '{"code":"fail"}') => ({ id, status: 'fail' as const, extra })

const OTHER = await bundled(`import '${import.meta.dirname}/run-and-end.mjs'`)

/** Another daemon, which begins and ends so many runs of the same tasks. */
async function runElsewhere(url: string, count: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [OTHER, url, String(count)])
  return JSON.parse(stdout) as number[]
}

describe.each(ENGINE_NAMES)('the table execute_task in %s', name => {
  let engine: Engine

  beforeAll(async () => {
    engine = await ENGINES[name]()
  })
  afterAll(() => engine.remove())

  /** A database with so many rows in `task`. */
  async function withTasks(count: number) {
    const database = await taskDatabase(engine)
    await insertMany(database, count)
    const statuses = async () => (await database.store.tasks.list()).map(row => row.status)
    return { database, rows: database.store.runRows, statuses }
  }

  test('columns that people have added: trace_id is filled, others are named', async () => {
    const { database, rows } = await withTasks(1)
    await using _ = database
    const alter = (what: string) => sql.raw(`alter table execute_task ${what}`).execute(database.db)
    const before = await rows.begin(1, identity('before'))
    const width = name === 'sqlite' ? '' : ' not null'
    // SQLite adds no column without a default to a table; this is how its people get one.
    if (name === 'sqlite') {
      await sql.raw('drop table execute_task').execute(database.db)
      await sql
        .raw(`create table execute_task (id integer primary key autoincrement, task_id integer not null,
          status text not null, extra text not null default '{}', create_at text not null default
          (datetime('now')), update_at text not null default (datetime('now')),
          trace_id text not null)`)
        .execute(database.db)
    } else
      await alter(
        `add column trace_id varchar(12)${width}${name === 'postgres' ? " default ''" : ''}`,
      )
    if (name === 'postgres') await alter('alter column trace_id drop default')
    const id = await rows.begin(1, identity('cron-x-1764', 7))
    const found = await sql<{ id: number; trace_id: string }>`select id, trace_id from execute_task
      where id = ${id}`.execute(database.db)
    const whole = 'cron-x-1764:7'
    expect(found.rows[0]?.trace_id).toBe(name === 'sqlite' ? whole : whole.slice(-12))
    await rows.end([succ(id)])
    if (name === 'sqlite') return
    await rows.end([succ(before)])
    await alter(`add column shard int not null${name === 'postgres' ? ' default 1' : ''}`)
    if (name === 'postgres') await alter('alter column shard drop default')
    await expect(rows.begin(1, identity('later'))).rejects.toThrow(
      'execute_task has columns that taskd does not know and that must have a value: shard',
    )
    await alter('drop column shard')
    await alter('drop column trace_id')
    expect(await rows.begin(1, identity('last'))).toBeGreaterThan(id)
  })

  test('a run is doing from its begin to its end, and so is its task', async () => {
    const { database, rows, statuses } = await withTasks(2)
    await using _ = database
    const id = await rows.begin(2, identity('t'))
    expect(await statuses()).toEqual(['ready', 'doing'])
    const doing = await rows.doing()
    expect(doing).toMatchObject([{ id, task_id: 2 }])
    expect(JSON.parse(doing[0]?.extra ?? '')).toEqual(identity('t'))
    expect(doing[0]?.ageMs).toBeLessThan(20_000)
    await rows.end([succ(id, '{"code":"succ","msg":"任务 🙂"}')])
    expect(await statuses()).toEqual(['ready', 'ready'])
    expect(await rows.doing()).toEqual([])
    const [row] = await rows.history({ limit: 10 })
    expect(row).toMatchObject({
      id,
      task_id: 2,
      status: 'succ',
      extra: '{"code":"succ","msg":"任务 🙂"}',
    })
    for (const at of [row?.create_at, row?.update_at]) {
      expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000[+-]\d\d:\d\d$/)
      expect(Math.abs(Date.parse(at ?? '') - Date.now())).toBeLessThan(20_000)
    }
  })

  test('a task stays doing until the last of its runs has ended', async () => {
    const { database, rows, statuses } = await withTasks(1)
    await using _ = database
    const one = await rows.begin(1, identity('t'))
    const two = await rows.begin(1, identity('t', 2))
    const three = await rows.begin(1, identity('u'))
    expect(new Set([one, two, three]).size).toBe(3)
    await rows.end([fail(one)])
    await rows.end([succ(three)])
    expect(await statuses()).toEqual(['doing'])
    await rows.end([succ(two)])
    expect(await statuses()).toEqual(['ready'])
    expect((await rows.history({ limit: 9 })).map(row => row.status)).toEqual([
      'succ',
      'succ',
      'fail',
    ])
  })

  test('the same end again changes nothing, nor does another one or one of no row', async () => {
    const { database, rows, statuses } = await withTasks(2)
    await using _ = database
    const one = await rows.begin(1, identity('t'))
    const two = await rows.begin(2, identity('u'))
    await rows.end([])
    await rows.end([succ(one), fail(one, '{"late":true}'), succ(999_999)])
    await rows.end([fail(one, '{"later":true}')])
    expect((await rows.history({ taskId: 1, limit: 1 }))[0]).toMatchObject(succ(one))
    expect(await statuses()).toEqual(['ready', 'doing'])
    await rows.end([succ(one), succ(two)])
    expect(await statuses()).toEqual(['ready', 'ready'])
  })

  test('a begin that is repeated gets the row it has, until that one ends', async () => {
    const { database, rows } = await withTasks(1)
    await using _ = database
    const id = await rows.begin(1, identity('t'))
    const other = { ...identity('t'), worker_id: 'b-async_tasks-1', node: 'b' }
    expect(await rows.begin(1, other)).toBe(id)
    expect(JSON.parse((await rows.doing())[0]?.extra ?? '')).toEqual(other)
    await rows.end([fail(id)])
    expect(await rows.begin(1, identity('t'))).toBeGreaterThan(id)
  })

  test('two rows of one key hinder no run, and people are told by the later one', async () => {
    const { database, rows, statuses } = await withTasks(1)
    await using _ = database
    const { tasks } = database.store
    const one = await rows.begin(1, identity('t'))
    await database.sql(insertTask({ task_key: 'job_number_1', spec: '30' }))
    const two = await rows.begin(2, identity('u'))
    expect(await statuses()).toEqual(['doing', 'ready'])
    const [first, later] = await tasks.list()
    expect(first?.extra).toBe('{}')
    expect(JSON.parse(later?.extra ?? '')).toEqual({
      error: expect.stringContaining('job_number_1 is that of row 1 as well'),
    })
    await rows.end([succ(one), succ(two)])
    expect((await rows.history({ limit: 9 })).map(row => row.status)).toEqual(['succ', 'succ'])
    const three = await rows.begin(1, identity('v'))
    await rows.end([succ(three)])
    await database.sql('DELETE FROM task WHERE id = 2')
    await rows.mend()
    expect(await statuses()).toEqual(['ready'])
  })

  test('the runs of others are ended although one status cannot be set', async () => {
    const { database, rows, statuses } = await withTasks(3)
    await using _ = database
    const ids = [
      await rows.begin(1, identity('a')),
      await rows.begin(2, identity('b')),
      await rows.begin(3, identity('c')),
    ]
    await database.sql(insertTask({ task_key: 'job_number_2' }))
    await rows.end(ids.map(id => succ(id)))
    expect(await statuses()).toEqual(['ready', 'doing', 'ready', 'ready'])
    expect(await rows.doing()).toEqual([])
  })

  test('the run of a task that was deleted has its row all the same', async () => {
    const { database, rows } = await withTasks(1)
    await using _ = database
    const one = await rows.begin(1, identity('t'))
    await database.sql('DELETE FROM task')
    const two = await rows.begin(1, identity('t', 2))
    await rows.end([succ(one), fail(two)])
    expect((await rows.history({ taskId: 1, limit: 9 })).map(row => row.status)).toEqual([
      'fail',
      'succ',
    ])
  })

  test('what is left doing without a run is made ready, what runs is not', async () => {
    const { database, rows, statuses } = await withTasks(4)
    await using _ = database
    const id = await rows.begin(2, identity('t'))
    await database.sql(`UPDATE task SET status = 'doing' WHERE id IN (1, 4)`)
    await database.sql(`UPDATE task SET status = 'paused' WHERE id = 3`)
    expect(await rows.mend()).toBe(2)
    expect(await statuses()).toEqual(['ready', 'doing', 'paused', 'ready'])
    await database.sql(`UPDATE execute_task SET status = 'fail' WHERE id = ${id}`)
    expect(await rows.mend()).toBe(1)
    expect(await rows.mend()).toBe(0)
    expect(await statuses()).toEqual(['ready', 'ready', 'paused', 'ready'])
  })

  test('an answer that no column holds is cut and stays JSON', async () => {
    const { database, rows } = await withTasks(1)
    await using _ = database
    const answers = [
      JSON.stringify({ code: 'succ', msg: '"'.repeat(3000), data: '任'.repeat(40_000) }),
      'x'.repeat(70_000),
      JSON.stringify({ data: 'x'.repeat(65_000) }),
      'a\0b\ud800',
    ]
    const ids: number[] = []
    for (const [place] of answers.entries()) ids.push(await rows.begin(1, identity('t', place + 1)))
    await rows.end(ids.map((id, place) => succ(id, answers[place])))
    const stored = (await rows.history({ limit: 9 })).toReversed().map(row => row.extra)
    expect(JSON.parse(stored[0] ?? '')).toEqual({
      code: 'succ',
      msg: '"'.repeat(1000),
      cut: expect.stringContaining('bytes'),
      head: expect.stringMatching(/^\{"code":"succ"/),
    })
    expect(JSON.parse(stored[1] ?? '')).toMatchObject({ head: 'x'.repeat(1000) })
    expect(stored.slice(2)).toEqual([answers[2], 'a␀b\ufffd'])
  })

  test('the history is of one task or of all, the newest first', async () => {
    const { database, rows } = await withTasks(3)
    await using _ = database
    for (const task of [1, 2, 3, 1, 2])
      await rows.end([succ(await rows.begin(task, identity('t')))])
    const all = await rows.history({ limit: 4 })
    expect(all.map(row => row.task_id)).toEqual([2, 1, 3, 2])
    expect((await rows.history({ taskId: 1, limit: 9 })).map(row => row.id)).toEqual([4, 1])
    expect(await rows.history({ taskId: 9, limit: 9 })).toEqual([])
  })

  test('two daemons begin and end hundreds of runs at once, and all of it is right', async () => {
    const { database, rows, statuses } = await withTasks(20)
    await using _ = database
    const run = async (n: number) => {
      const id = await rows.begin((n % 20) + 1, identity(`t${n}`))
      await rows.end([n % 3 === 0 ? fail(id) : succ(id)])
      return id
    }
    const [others, ...own] = await Promise.all([
      runElsewhere(database.url, 150),
      ...Array.from({ length: 150 }, (_none, n) => run(n)),
    ])
    const ids = [...others, ...own]
    expect(new Set(ids).size).toBe(300)
    expect(new Set(await statuses())).toEqual(new Set(['ready']))
    expect(await rows.doing()).toEqual([])
    expect(await rows.history({ limit: 1000 })).toHaveLength(300)
  })

  test('ends of many rows in one call are all of them done', async () => {
    const { database, rows, statuses } = await withTasks(5)
    await using _ = database
    const ids: number[] = []
    for (let n = 0; n < 230; n += 1) ids.push(await rows.begin((n % 5) + 1, identity(`t${n}`)))
    await rows.end(
      ids
        .slice(0, 229)
        .toReversed()
        .map(id => succ(id)),
    )
    expect(await statuses()).toEqual(['ready', 'ready', 'ready', 'ready', 'doing'])
    expect((await rows.doing()).map(row => row.id)).toEqual(ids.slice(229))
  })

  test('looking for what is doing needs no walk through what has ended', async () => {
    const { database, rows } = await withTasks(1)
    await using _ = database
    const done = Array.from({ length: 500 }, () => ({ task_id: 1, status: 'succ', extra: '{}' }))
    for (let n = 0; n < 20; n += 1)
      await database.db.insertInto('execute_task').values(done).execute()
    const id = await rows.begin(1, identity('t'))
    if (name !== 'sqlite')
      await database.sql(name === 'mariadb' ? 'ANALYZE TABLE execute_task' : 'ANALYZE execute_task')
    const words = { sqlite: 'EXPLAIN QUERY PLAN', mariadb: 'EXPLAIN', postgres: 'EXPLAIN' }[name]
    const query = `SELECT id FROM execute_task WHERE status = 'doing'`
    const plan = JSON.stringify(await database.sql(`${words} ${query} ORDER BY id`))
    expect(plan).toContain('ix__execute_task__status_task_id')
    expect((await rows.doing()).map(row => row.id)).toEqual([id])
  })

  test('a lock that somebody else holds is waited for', async () => {
    let sleeps = 0
    const clock = { ...realClock, sleep: (ms: number) => ((sleeps += 1), realClock.sleep(ms)) }
    await using database = await taskDatabase(engine)
    await insertMany(database, 1)
    const { runRows } = database.another(clock)
    let begun: Promise<number> | undefined
    await database.db.transaction().execute(async transaction => {
      await transaction.updateTable('task').set({ spec: '30' }).execute()
      begun = runRows.begin(1, identity('t'))
      await realClock.sleep(400)
    })
    expect(await begun).toBe(1)
    // The others wait in the server, which is told at most once in the time that this takes.
    expect(sleeps > 0).toBe(name === 'sqlite')
    expect(await database.store.tasks.list()).toMatchObject([{ spec: '30', status: 'doing' }])
  })
})
