import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import { LiveConfig } from '../../../src/config/live.ts'
import { realClock } from '../../../src/lib/clock.ts'
import { SqlJobs } from '../../../src/master/sql-jobs/sql-jobs.ts'
import { Events } from '../../../src/model/events.ts'
import { openStore, type Store } from '../../../src/store/store.ts'
import type { NewTaskRow } from '../../../src/store/task-table.ts'
import { ENGINE_NAMES, ENGINES, type Engine } from '../../support/engines.ts'
import { failFast } from '../../support/fail-fast.ts'
import { recordedLog } from '../../support/logs.ts'
import { NEW_STATE } from '../../support/ticking.ts'
import { waitFor } from '../../support/wait.ts'

/** Real time, but a hundred times as impatient. */
const hasty = {
  ...realClock,
  sleep: (ms: number, signal?: AbortSignal) => realClock.sleep(ms / 100, signal),
}

const config = new LiveConfig({
  settings: { timezone: 'UTC', tasks: '/srv/tasks' },
} as unknown as Config)

/** The service on a database, and what it does to the cursors. */
function serviceOn(store: Store, clock = hasty) {
  const cleared: string[] = []
  const events = new Events()
  const recorded = recordedLog()
  let changes = 0
  const service = new SqlJobs({
    config,
    store,
    cron: {
      clearCursor: async name => void cleared.push(`clear ${name}`),
      remove: async name => void cleared.push(`remove ${name}`),
    },
    asking: failFast({ readMany: async (names: readonly string[]) => names.map(() => NEW_STATE) }),
    clock,
    random: () => 0.5,
    events,
    log: recorded.log,
    onChange: () => {
      changes += 1
    },
  })
  const names = () => service.jobs.map(job => `${job.name}${job.enabled ? '' : ' off'}`).toSorted()
  const has = (text: string) => recorded.has(text)
  return { service, cleared, events, has, names, changes: () => changes }
}

const aRow = (task_key: string, changes: Partial<NewTaskRow> = {}): NewTaskRow => ({
  task_key,
  execute_func: 'report',
  trigger: 'cron',
  spec: '0 9 * * *',
  args: '',
  is_valid: true,
  ...changes,
})

describe.each(ENGINE_NAMES)('jobs in SQL on %s', name => {
  let engine: Engine
  let store: Store
  let other: Store
  const started: { stop(): Promise<void> }[] = []

  beforeAll(async () => {
    engine = await ENGINES[name]()
  })
  afterAll(() => engine.remove())

  beforeEach(async () => {
    const url = engine.freshUrl()
    store = openStore(url, recordedLog().log)
    // Whoever else writes to the table.
    other = openStore(url, recordedLog().log)
    await other.migrate()
  })
  afterEach(async () => {
    for (const one of started.splice(0)) await one.stop()
    await Promise.all([store.close(), other.close()])
  })

  async function start() {
    const one = serviceOn(store)
    started.push(one.service)
    await one.service.start()
    // A start waits for the first look, but not for long.
    await one.service.look()
    return one
  }
  const row = async (key: string) => {
    const found = await other.tasks.find(key)
    if (!found) throw new Error(`no row ${key}`)
    return found
  }

  test('rows that come, change, are stopped and deleted are followed', async () => {
    const { names, service, cleared } = await start()
    await other.tasks.add(aRow('报表:日'))
    await other.tasks.add(aRow('off', { is_valid: false }))
    await waitFor(() => names().length === 2, { what: 'the new rows are jobs' })
    expect(names()).toEqual(['task:off off', 'task:报表:日'])
    expect(service.jobs.find(job => job.name === 'task:报表:日')?.task.rowId).toBe(
      (await row('报表:日')).id,
    )

    await other.tasks.change('报表:日', { spec: '*/5 * * * *' })
    await waitFor(
      () =>
        service.jobs.some(
          job => 'expression' in job.trigger && job.trigger.expression === '*/5 * * * *',
        ),
      {
        what: 'the changed spec is taken over',
      },
    )
    await other.tasks.change('报表:日', { is_valid: false })
    await waitFor(() => names().includes('task:报表:日 off'), { what: 'it is stopped' })
    expect(cleared).toContain('clear task:报表:日')
    expect(cleared).not.toContain('remove task:报表:日')
  })

  test('a bad row is told in the row itself, until it is mended', async () => {
    const { service, names } = await start()
    await other.tasks.add(aRow('good'))
    await other.tasks.add(aRow('bad', { spec: '99 * * * *' }))
    const extra = async () => JSON.parse((await row('bad')).extra) as Record<string, unknown>
    const error = await waitFor(async () => (await extra())['error'], { what: 'it is noted' })
    expect(error).toMatch(/^spec = 99 \* \* \* \*: 99 in the minute field is out of range/)
    expect(service.bad.map(one => one.name)).toEqual(['task:bad'])
    expect(names()).toEqual(['task:good'])

    await other.tasks.change('bad', { spec: '9 * * * *' })
    await waitFor(async () => !('error' in (await extra())), { what: 'the note is gone' })
    expect(names()).toEqual(['task:bad', 'task:good'])
    expect(service.bad).toEqual([])
  })

  test('what it notes, and a status that changes, is no change to it', async () => {
    const { service, changes } = await start()
    await other.tasks.add(aRow('bad', { trigger: 'x' }))
    await other.tasks.add(aRow('good'))
    await waitFor(async () => (await row('bad')).extra.includes('error'), { what: 'it is noted' })
    await service.look()
    const before = changes()
    const identity = { unique_task_id: 't', attempt: 1, worker_id: 'w', node: 'n' }
    await other.runRows.begin((await row('good')).id, identity)
    for (let look = 0; look < 5; look += 1) await service.look()
    expect(changes()).toBe(before)
  })

  test('a look sees what was written before it', async () => {
    const { service, names } = await start()
    for (let n = 0; n < 20; n += 1) {
      await other.tasks.add(aRow(`row-${n}`))
      await service.look()
      expect(names()).toContain(`task:row-${n}`)
    }
  })

  test('rows that were stopped while nobody looked have no cursor any more', async () => {
    await other.tasks.add(aRow('off', { is_valid: false }))
    await other.tasks.add(aRow('on'))
    const { cleared } = await start()
    expect(cleared).toEqual(['clear task:off'])
  })

  test('a verdict that comes after its row is gone leaves nothing behind', async () => {
    await other.tasks.add(aRow('there'))
    const { cleared, events } = await start()
    const run = (job: string) =>
      events.emit({
        type: 'run-ended',
        workerId: 'w',
        run: {
          type: 'ended',
          id: 't',
          job,
          attempt: 1,
          outcome: 'succ',
          kind: '',
          code: 'succ',
          msg: '',
          durationMs: 1,
        },
      })
    for (const job of ['', 'of_cron_ini', 'task:there', 'task:gone']) run(job)
    expect(cleared).toEqual(['remove task:gone'])
  })

  test('a start takes 5,000 rows over, and one that changes costs one', async () => {
    const { service } = serviceOn(other)
    started.push(service)
    // Not more at once: on a busy machine the last in the pool's line would wait for too long.
    for (let from = 0; from < 5000; from += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          other.tasks.add(aRow(`row-${from + n}`, { spec: `${n % 60} ${n % 24} * * *` })),
        ),
      )
    await service.start()
    await waitFor(() => service.jobs.length === 5000, { what: 'all are there' })
    const before = new Set(service.jobs)
    await other.tasks.change('row-4711', { spec: '1 2 3 4 *' })
    await service.look()
    const fresh = service.jobs.filter(job => !before.has(job))
    expect(fresh.map(job => job.name)).toEqual(['task:row-4711'])
  })
})

describe.each(['mariadb', 'postgres'] as const)('while %s is away', name => {
  test('the jobs that are known stay, it is told, and changes come after it', async () => {
    await using engine = await ENGINES[name]()
    const { server } = engine
    if (!server) throw new Error(`${name} has no server`)
    const url = engine.freshUrl()
    const store = openStore(url, recordedLog().log)
    const { service, names, has, changes } = serviceOn(store)
    try {
      await store.migrate()
      await store.tasks.add(aRow('a'))
      await service.start()
      await service.look()
      expect(names()).toEqual(['task:a'])
      const before = changes()
      await server.kill()
      await waitFor(() => service.condition.away, { what: 'it notices' })
      expect(service.condition).toMatchObject({ ok: false, error: expect.stringMatching(/./) })
      expect([names(), changes()]).toEqual([['task:a'], before])
      expect(has('the jobs that are known go on as they are')).toBe(true)
      await server.restart()
      await waitFor(() => service.condition.ok, { what: 'it is back' })
      expect(service.condition).toMatchObject({ away: false, error: '' })
      await store.tasks.add(aRow('b'))
      await waitFor(() => names().length === 2, { what: 'the row that came after it' })
    } finally {
      await service.stop()
      await store.close()
    }
  })

  test('a start neither fails nor waits for it', async () => {
    await using engine = await ENGINES[name]()
    const { server } = engine
    if (!server) throw new Error(`${name} has no server`)
    await server.stop()
    const store = openStore(engine.freshUrl(), recordedLog().log)
    const { service, names } = serviceOn(store)
    try {
      await service.start()
      await waitFor(() => service.condition.away, { what: 'it notices' })
      await server.restart()
      await waitFor(() => service.condition.ok, { what: 'the tables are made, and read' })
      await store.tasks.add(aRow('a'))
      await waitFor(() => names().length === 1, { what: 'its row' })
      expect(names()).toEqual(['task:a'])
    } finally {
      await service.stop()
      await store.close()
    }
  })
})

test('a table of the same name that is something else is told, and the database is not away', async () => {
  await using engine = await ENGINES.sqlite()
  const { Kysely, sql, SqliteDialect } = await import('kysely')
  const { openSqlite } = await import('../../../src/store/sqlite.ts')
  const url = engine.freshUrl()
  const db = new Kysely<Record<string, never>>({
    dialect: new SqliteDialect({ database: () => openSqlite(url.slice('sqlite:'.length), true) }),
  })
  await sql`create table task (id integer primary key, title text)`.execute(db)
  await db.destroy()
  const store = openStore(url, recordedLog().log)
  const { service } = serviceOn(store)
  try {
    await service.start()
    await waitFor(() => !service.condition.ok, { what: 'it cannot be read' })
    expect(service.condition).toMatchObject({ away: false, error: expect.stringMatching(/column/) })
  } finally {
    await service.stop()
    await store.close()
  }
})
