import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Clock, realClock } from '../../../src/lib/clock.ts'
import { DEFAULT_LIMITS } from '../../../src/store/pool.ts'
import { ENGINES, type Engine } from '../../support/engines.ts'
import { insertMany, taskDatabase } from '../../support/task-tables.ts'
import { waitFor } from '../../support/wait.ts'

const identity = (task: string) => ({
  unique_task_id: task,
  attempt: 1,
  worker_id: 'a-1',
  node: 'a',
})

/** A clock that counts how often somebody waited to try again. */
function countingClock(): { readonly clock: Clock; readonly waits: () => number } {
  let waits = 0
  const sleep: Clock['sleep'] = (ms, signal) => {
    waits += 1
    return realClock.sleep(ms, signal)
  }
  return { clock: { ...realClock, sleep }, waits: () => waits }
}

const WAITING = {
  // Of this table the server keeps a picture that it renews only when nobody has read it for 0.1 s.
  mariadb: `SELECT 1 AS one FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'`,
  postgres: `SELECT 1 AS one FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname LIKE 'task_schedule%'`,
}

describe.each(['mariadb', 'postgres'] as const)('%s', name => {
  let engine: Engine

  beforeAll(async () => {
    engine = await ENGINES[name]()
  })
  afterAll(() => engine.remove())

  test('who loses a deadlock tries again', async () => {
    await using database = await taskDatabase(engine)
    await insertMany(database, 200)
    await using other = await taskDatabase(engine)
    const { clock, waits } = countingClock()
    const { runRows } = database.another(clock)
    const one = await runRows.begin(1, identity('t'))
    const two = await runRows.begin(2, identity('u'))
    const ends = [one, two].map(id => ({ id, status: 'succ' as const, extra: '{}' }))
    let ended: Promise<void> | undefined
    await database.db.transaction().execute(async transaction => {
      // Enough changes to make us the one that the server would rather keep.
      const rest = transaction.updateTable('task').set({ spec: '30' }).where('id', '>', 2)
      await rest.execute()
      await sql`update task set spec = '31' where id = 2`.execute(transaction)
      ended = runRows.end(ends)
      await waitFor(
        async () => {
          await realClock.sleep(150)
          return (await other.sql(WAITING[name])).length > 0
        },
        { what: 'the end waits for a lock' },
      )
      await sql`update task set spec = '32' where id = 1`.execute(transaction)
    })
    await ended
    expect(waits()).toBeGreaterThan(0)
    expect(await runRows.doing()).toEqual([])
    expect((await database.store.tasks.list()).slice(0, 2)).toMatchObject([
      { spec: '32', status: 'ready' },
      { spec: '31', status: 'ready' },
    ])
  })

  test('a burst of runs behind a lock that is held for seconds waits and fails none', async () => {
    await using database = await taskDatabase(engine)
    await insertMany(database, 12)
    const { runRows } = database.store
    const begins: Promise<number>[] = []
    await database.db.transaction().execute(async transaction => {
      await transaction.updateTable('task').set({ spec: '30' }).where('id', '<', 3).execute()
      for (let n = 1; n <= 12; n += 1) begins.push(runRows.begin(n, identity(`t${n}`)))
      // Longer than a connection may take.
      await realClock.sleep(DEFAULT_LIMITS.connectMs + 500)
    })
    expect(new Set(await Promise.all(begins)).size).toBe(12)
  })

  test.each(['serializable', 'repeatable read', 'read committed'])(
    'a server whose transactions are %s keeps no status wrong',
    async level => {
      await using database = await taskDatabase(engine)
      const own = /task_schedule_\d+/.exec(database.url)?.[0]
      if (name === 'postgres')
        await database.sql(`ALTER DATABASE ${own} SET default_transaction_isolation = '${level}'`)
      else await database.sql(`SET GLOBAL TRANSACTION ISOLATION LEVEL ${level}`)
      await insertMany(database, 4)
      const stores = [database.another(), database.another()]
      const run = async (n: number) => {
        const rows = stores[n % 2]?.runRows
        const id = await rows?.begin((n % 4) + 1, identity(`t${n}`))
        await rows?.end([{ id: id ?? 0, status: 'succ', extra: '{}' }])
      }
      const open = await stores[0]?.runRows.begin(4, identity('open'))
      await Promise.all(Array.from({ length: 60 }, (_none, n) => run(n)))
      expect((await database.store.tasks.list()).map(row => row.status)).toEqual([
        'ready',
        'ready',
        'ready',
        'doing',
      ])
      await stores[1]?.runRows.end([{ id: open ?? 0, status: 'succ', extra: '{}' }])
      expect(await stores[0]?.runRows.doing()).toEqual([])
      expect((await database.store.tasks.list())[3]?.status).toBe('ready')
      if (name === 'mariadb')
        await database.sql('SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ')
    },
  )

  test('a server that was started anew between two calls, or KILLed, is not noticed', async () => {
    await using own = await ENGINES[name]()
    await using database = await taskDatabase(own)
    await insertMany(database, 1)
    const { tasks, runRows } = database.store
    await tasks.poll()
    const id = await runRows.begin(1, identity('t'))
    await own.server?.restart()
    await runRows.end([{ id, status: 'succ', extra: '{}' }])
    await own.server?.restart()
    expect(await tasks.poll()).toEqual({ changed: [], gone: [] })
    await own.server?.kill()
    await expect(tasks.poll()).rejects.toThrow(/connect/)
    await expect(runRows.begin(1, identity('u'))).rejects.toThrow(/connect/)
    await own.server?.restart()
    const next = await runRows.begin(1, identity('u'))
    expect(next).toBeGreaterThan(id)
    expect(await tasks.change('job_number_1', { spec: '30' })).toBe(true)
    expect((await tasks.poll()).changed).toMatchObject([{ spec: '30', status: 'doing' }])
  })

  test('a server KILLed while runs begin and end leaves nothing that a repeat does not mend', async () => {
    await using own = await ENGINES[name]()
    await using database = await taskDatabase(own)
    await insertMany(database, 5)
    const { runRows, tasks } = database.store
    const insist = async <T>(work: () => Promise<T>): Promise<T> => {
      for (;;) {
        try {
          return await work()
        } catch {
          await realClock.sleep(20)
        }
      }
    }
    let done = 0
    const run = async (n: number) => {
      const id = await insist(() => runRows.begin((n % 5) + 1, identity(`t${n}`)))
      await insist(() => runRows.end([{ id, status: 'succ', extra: '{}' }]))
      done += 1
    }
    const all = Promise.all(Array.from({ length: 200 }, (_none, n) => run(n)))
    await waitFor(() => done > 20, { what: 'runs have ended' })
    await own.server?.kill()
    await own.server?.restart()
    await all
    expect(await runRows.doing()).toEqual([])
    expect(await runRows.history({ limit: 1000 })).toHaveLength(200)
    expect((await tasks.list()).map(row => row.status)).toEqual(
      Array.from({ length: 5 }, () => 'ready'),
    )
  })
})
