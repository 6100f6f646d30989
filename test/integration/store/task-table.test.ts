import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import { ENGINE_NAMES, ENGINES, type Engine } from '../../support/engines.ts'
import { insertMany, insertTask, newTask, taskDatabase } from '../../support/task-tables.ts'

const NOTHING = { changed: [], gone: [] }

describe.each(ENGINE_NAMES)('the table task in %s', name => {
  let engine: Engine

  beforeAll(async () => {
    engine = await ENGINES[name]()
  })
  afterAll(() => engine.remove())

  test('a row inserted by plain SQL is told once, as it is', async () => {
    await using database = await taskDatabase(engine)
    const { tasks } = database.store
    expect(await tasks.poll()).toEqual(NOTHING)
    await database.sql(insertTask({ task_key: 'O’Neill 任务 🙂', spec: "it's", is_valid: 0 }))
    const { changed, gone } = await tasks.poll()
    const row = {
      id: 1,
      task_key: 'O’Neill 任务 🙂',
      execute_func: 'test_cron',
      trigger: 'cron',
      spec: "it's",
      args: '1,2,3',
      is_valid: false,
      status: 'ready',
      extra: '{}',
      ageMs: expect.any(Number),
    }
    expect({ changed, gone }).toEqual({ changed: [row], gone: [] })
    expect(changed[0]?.ageMs).toBeLessThan(20_000)
    expect(await tasks.poll()).toEqual(NOTHING)
    expect(await database.another().tasks.poll()).toEqual({ changed: [row], gone: [] })
  })

  test('changes within one second are told each time, whatever update_at says', async () => {
    await using database = await taskDatabase(engine)
    const { tasks } = database.store
    await database.sql(insertTask())
    await tasks.poll()
    const specs: string[] = []
    for (const statement of [
      `UPDATE task SET spec = '30' WHERE id = 1`,
      `UPDATE task SET spec = '31' WHERE id = 1`,
      `UPDATE task SET spec = '32', update_at = update_at WHERE id = 1`,
      `UPDATE task SET spec = '33', update_at = '2001-01-01 00:00:00' WHERE id = 1`,
      `UPDATE task SET spec = '34', update_at = '2037-01-01 00:00:00' WHERE id = 1`,
      `UPDATE task SET spec = '35', update_at = '2001-01-01 00:00:00' WHERE id = 1`,
      `UPDATE task SET is_valid = 0, update_at = '2001-01-01 00:00:00' WHERE id = 1`,
    ]) {
      await database.sql(statement)
      const { changed } = await tasks.poll()
      specs.push(...changed.map(row => `${row.spec} ${row.is_valid}`))
      expect(await tasks.poll()).toEqual(NOTHING)
    }
    expect(specs).toEqual([
      '30 true',
      '31 true',
      '32 true',
      '33 true',
      '34 true',
      '35 true',
      '35 false',
    ])
  })

  test('each column that defines a job counts; status, extra and times do not', async () => {
    await using database = await taskDatabase(engine)
    const { tasks } = database.store
    await database.sql(insertTask({ spec: 'a', args: 'b' }))
    await tasks.poll()
    for (const column of ['task_key', 'execute_func', 'trigger', 'spec', 'args']) {
      const quoted = column === 'trigger' ? '"trigger"' : column
      await database.sql(`UPDATE task SET ${quoted} = 'A' WHERE id = 1`)
      expect((await tasks.poll()).changed).toMatchObject([{ id: 1, [column]: 'A' }])
      await database.sql(`UPDATE task SET ${quoted} = 'a' WHERE id = 1`)
      expect((await tasks.poll()).changed).toMatchObject([{ id: 1, [column]: 'a' }])
    }
    await database.sql(`UPDATE task SET status = 'doing', extra = '{"a":1}' WHERE id = 1`)
    await database.sql(`UPDATE task SET update_at = '2001-01-01 00:00:00' WHERE id = 1`)
    expect(await tasks.poll()).toEqual(NOTHING)
  })

  test('values that only change places are seen', async () => {
    await using database = await taskDatabase(engine)
    const { tasks } = database.store
    await insertMany(database, 128)
    await database.sql(`UPDATE task SET is_valid = 0 WHERE id > 64`)
    expect((await tasks.poll()).changed).toHaveLength(128)
    await database.sql(`UPDATE task SET is_valid = 1 - is_valid`)
    expect((await tasks.poll()).changed).toHaveLength(128)
    await database.sql(`UPDATE task SET spec = 'ab', args = 'c' WHERE id = 1`)
    await tasks.poll()
    await database.sql(`UPDATE task SET spec = 'a', args = 'bc' WHERE id = 1`)
    expect((await tasks.poll()).changed.map(row => row.id)).toEqual([1])
  })

  test('rows that are deleted are gone, and a new one in their place is a change', async () => {
    await using database = await taskDatabase(engine)
    const { tasks } = database.store
    await insertMany(database, 70)
    await tasks.poll()
    await database.sql('DELETE FROM task WHERE id IN (1, 65, 70)')
    expect(await tasks.poll()).toEqual({ changed: [], gone: [1, 65, 70] })
    await database.sql(insertTask({ id: 65, task_key: 'another' }))
    expect(await tasks.poll()).toMatchObject({ changed: [{ id: 65 }], gone: [] })
    await database.sql('DELETE FROM task WHERE id = 65')
    await database.sql(insertTask({ id: 65, task_key: 'a third' }))
    expect(await tasks.poll()).toMatchObject({ changed: [{ task_key: 'a third' }], gone: [] })
    await database.sql('DELETE FROM task')
    expect((await tasks.poll()).gone).toHaveLength(68)
    expect(await tasks.poll()).toEqual(NOTHING)
  })

  test('what a failed poll would have told, the next one tells', async () => {
    await using database = await taskDatabase(engine)
    const { tasks } = database.store
    await insertMany(database, 3)
    await tasks.poll()
    await database.sql("UPDATE task SET spec = '30' WHERE id = 2")
    await database.sql('ALTER TABLE task RENAME TO away')
    await expect(tasks.poll()).rejects.toThrow(/task/)
    await database.sql('ALTER TABLE away RENAME TO task')
    expect(await tasks.poll()).toMatchObject({ changed: [{ id: 2, spec: '30' }], gone: [] })
  })

  test('update_at moves when something changes, unless it is set itself', async () => {
    await using database = await taskDatabase(engine)
    const long = `'2001-01-01 00:00:00'`
    await database.sql(insertTask())
    await database.sql("INSERT INTO execute_task (task_id, status) VALUES (1, 'doing')")
    for (const table of ['task', 'execute_task']) {
      const stamp = async () =>
        new Date(String((await database.sql(`SELECT update_at FROM ${table}`))[0]?.['update_at']))
      await database.sql(`UPDATE ${table} SET update_at = ${long}`)
      expect((await stamp()).getFullYear()).toBe(2001)
      await database.sql(`UPDATE ${table} SET status = status`)
      expect((await stamp()).getFullYear()).toBe(2001)
      await database.sql(`UPDATE ${table} SET status = 'succ', update_at = '2002-02-02 00:00:00'`)
      expect((await stamp()).getFullYear()).toBe(2002)
      await database.sql(`UPDATE ${table} SET status = 'fail'`)
      expect((await stamp()).getFullYear()).toBeGreaterThan(2020)
    }
  })

  test('a row can be added, found, listed and changed', async () => {
    await using database = await taskDatabase(engine)
    const { tasks } = database.store
    const id = await tasks.add(newTask({ task_key: 'Daily' }))
    expect(await tasks.find('Daily')).toMatchObject({ id, ...newTask({ task_key: 'Daily' }) })
    expect(await tasks.find('Daily')).toMatchObject({ status: 'ready', extra: '{}' })
    expect(await tasks.find('daily')).toBeUndefined()
    expect(await tasks.find('Daily ')).toBeUndefined()
    expect(await tasks.change('daily', { is_valid: false })).toBe(false)
    expect(await tasks.change('Daily', { is_valid: false })).toBe(true)
    expect(await tasks.change('Daily', { spec: '0 3 * * *' })).toBe(true)
    expect(await tasks.change('Daily', { spec: '0 3 * * *' })).toBe(true)
    expect(await tasks.change('Daily', {})).toBe(true)
    expect(await tasks.find('Daily')).toMatchObject({ is_valid: false, spec: '0 3 * * *' })
    await tasks.add(newTask({ task_key: 'b' }))
    expect((await tasks.list()).map(row => row.task_key)).toEqual(['Daily', 'b'])
  })

  test('a second row of one key is refused, also while the first one runs', async () => {
    await using database = await taskDatabase(engine)
    const { tasks } = database.store
    await tasks.add(newTask())
    await expect(tasks.add(newTask())).rejects.toMatchObject({ code: 'E_TASK_EXISTS' })
    await database.sql(`UPDATE task SET status = 'doing'`)
    await expect(tasks.add(newTask())).rejects.toMatchObject({ code: 'E_TASK_EXISTS' })
    const both = [1, 2].map(() => tasks.add(newTask({ task_key: 'two' })))
    const ends = await Promise.allSettled(both)
    expect(ends.map(one => one.status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(ends.find(one => one.status === 'rejected')?.reason).toMatchObject({
      code: 'E_TASK_EXISTS',
    })
  })

  test('what a column does not hold is refused in the same words everywhere', async () => {
    await using database = await taskDatabase(engine)
    const { tasks } = database.store
    await tasks.add(newTask({ args: '任'.repeat(255) }))
    const long = { code: 'E_TASK_TOO_LONG', message: 'spec is longer than 255 characters' }
    await expect(tasks.change('test_cron', { spec: 'x'.repeat(256) })).rejects.toMatchObject(long)
    const args = '🙂'.repeat(256)
    await expect(tasks.add(newTask({ task_key: 'b', args }))).rejects.toMatchObject({
      code: 'E_TASK_TOO_LONG',
    })
    const nul = newTask({ task_key: 'a\0b' })
    await expect(tasks.add(nul)).rejects.toMatchObject({ code: 'E_TASK_TEXT' })
  })

  test('a problem stands in extra beside what is there, and no poll tells of it', async () => {
    await using database = await taskDatabase(engine)
    const { tasks } = database.store
    await database.sql(insertTask({ extra: '{"owner":"ops"}' }))
    await tasks.poll()
    const extra = async () => (await tasks.list())[0]?.extra
    await tasks.noteProblem(1, 'spec: "x" is no time')
    expect(JSON.parse((await extra()) ?? '')).toEqual({
      owner: 'ops',
      error: 'spec: "x" is no time',
    })
    await database.sql(`UPDATE task SET update_at = '2001-01-01 00:00:00'`)
    await tasks.noteProblem(1, 'spec: "x" is no time')
    expect((await tasks.list())[0]?.ageMs).toBeGreaterThan(1e9)
    await tasks.noteProblem(1, undefined)
    expect(await extra()).toBe('{"owner":"ops"}')
    await tasks.noteProblem(1, undefined)
    await tasks.noteProblem(99, 'nobody')
    expect(await tasks.poll()).toEqual(NOTHING)
  })

  test('a user’s session of another zone and another hour changes no age', async () => {
    const hour = 3_600_000
    const now = () => Date.now() - hour
    await using database = await taskDatabase(engine, { clock: { ...realClock, now } })
    const { tasks } = database.store
    await database.db.connection().execute(async connection => {
      const zone = {
        sqlite: sql`select 1`,
        mariadb: sql`set time_zone = '+05:00'`,
        postgres: sql`set time zone 'Asia/Karachi'`,
      }[name]
      await zone.execute(connection)
      const { is_valid: _, ...rest } = newTask()
      await connection
        .insertInto('task')
        .values({ ...rest, is_valid: 1, status: 'ready' })
        .execute()
      await sql
        .raw(
          name === 'sqlite'
            ? 'select 1'
            : name === 'mariadb'
              ? `set time_zone = '+00:00'`
              : `set time zone 'UTC'`,
        )
        .execute(connection)
    })
    const [row] = (await tasks.poll()).changed
    expect(row?.ageMs).toBeLessThan(20_000)
    const ahead = {
      sqlite: `datetime('now', '+1 hour')`,
      mariadb: `now() + interval 1 hour`,
      postgres: `now() + interval '1 hour'`,
    }[name]
    await database.sql(`UPDATE task SET spec = '30', update_at = ${ahead}`)
    expect((await tasks.poll()).changed).toMatchObject([{ spec: '30', ageMs: 0 }])
    const behind = ahead.replace('+', '-')
    await database.sql(`UPDATE task SET spec = '31', update_at = ${behind}`)
    const [old] = (await tasks.poll()).changed
    expect(old?.ageMs).toBeGreaterThan(hour - 20_000)
    expect(old?.ageMs).toBeLessThan(hour + 20_000)
  })

  test('5,000 rows are all told, a change among them is found, and idle polls cost next to nothing', async () => {
    await using database = await taskDatabase(engine)
    const { tasks } = database.store
    await insertMany(database, 5000)
    const first = await tasks.poll()
    const ids = Array.from({ length: 5000 }, (_, place) => place + 1)
    expect(first.changed.map(row => row.id)).toEqual(ids)
    expect((await tasks.list()).map(row => row.id)).toEqual(ids)
    await database.sql(`UPDATE task SET spec = '* * * * *' WHERE id IN (7, 71, 4999)`)
    await database.sql('DELETE FROM task WHERE id = 5000')
    expect(await tasks.poll()).toMatchObject({
      changed: [{ id: 7 }, { id: 71 }, { id: 4999 }],
      gone: [5000],
    })
    await database.sql(`UPDATE task SET status = 'doing'`)
    const before = process.cpuUsage()
    const polls = 40
    for (let n = 0; n < polls; n += 1) expect(await tasks.poll()).toEqual(NOTHING)
    const { user, system } = process.cpuUsage(before)
    // One per cent of a core at a poll every 2 s.
    expect((user + system) / 1000 / polls).toBeLessThan(20)
  })
})
