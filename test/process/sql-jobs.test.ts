import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { parseAddress } from '../../src/store/address.ts'
import { openDatabase } from '../../src/store/dialect.ts'
import { jsonOf, linesOf, newDaemon, type TestDaemon } from '../support/daemon.ts'
import { startMariaDb, startRedis } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

/** Notes that it was called, and with what. */
const FUNCTION = `import { appendFileSync } from 'node:fs'
export default async function note(taskKey, ...args) {
  appendFileSync(NOTES, JSON.stringify([taskKey, ...args.slice(0, -1)]) + '\\n')
  return { noted: taskKey }
}
`

/** Every kind of function there is writes to one file. */
function functionsOf(daemon: TestDaemon): void {
  for (const trigger of ['cron', 'date', 'interval']) {
    const folder = join(daemon.dir, 'tasks', trigger)
    mkdirSync(folder, { recursive: true })
    const notes = JSON.stringify(join(daemon.dir, 'notes'))
    writeFileSync(join(folder, 'note.mjs'), FUNCTION.replace('NOTES', notes))
    writeFileSync(
      join(folder, 'broken.mjs'),
      'export default () => { throw new Error("no luck") }\n',
    )
  }
  appendFileSync(join(daemon.dir, 'notes'), '')
}

const notesOf = (daemon: TestDaemon) =>
  linesOf(join(daemon.dir, 'notes')).map(line => JSON.parse(line) as unknown[])

/** Whoever writes to the tables by plain SQL. */
function client(url: string) {
  const db = openDatabase(parseAddress(url))
  return {
    run: async (statement: string) =>
      (await sql.raw<Record<string, unknown>>(statement).execute(db)).rows,
    [Symbol.asyncDispose]: () => db.destroy(),
  }
}

const sqliteOf = (daemon: TestDaemon) => client(`sqlite:${daemon.dataDir}/task_schedule.db`)

const INSERT =
  'INSERT INTO task (task_key, execute_func, `trigger`, spec, args, is_valid, status) VALUES'

async function started(daemon: TestDaemon): Promise<void> {
  functionsOf(daemon)
  await daemon.start()
}

const jobOf = async (daemon: TestDaemon, name: string) =>
  (await daemon.status()).jobs.find(one => one.name === name)

describe.concurrent('jobs in SQL', () => {
  test('a row that plain SQL inserts runs; its spec and is_valid are followed; the shell is at once', async () => {
    await using daemon = newDaemon()
    await started(daemon)
    await using db = sqliteOf(daemon)
    const ran = (key: string) => notesOf(daemon).filter(([taskKey]) => taskKey === key)

    const inserted = performance.now()
    await db.run(`${INSERT} ('报表 a:b', 'note', 'interval', '1', '1,"two",[3]', 1, 'ready')`)
    await waitFor(() => ran('报表 a:b').length > 0, { what: 'the row runs' })
    expect(performance.now() - inserted).toBeLessThan(10_000)
    expect(ran('报表 a:b')[0]).toEqual(['报表 a:b', 1, 'two', [3]])

    const spec = async () => (await jobOf(daemon, 'task:报表 a:b'))?.next?.slice(14, 19)
    const taken: number[] = []
    for (const [seconds, clock] of [
      [3600, '00:00'],
      [1, undefined],
      [3600, '00:00'],
    ] as const) {
      const changed = performance.now()
      await db.run(`UPDATE task SET spec = '${seconds}'`)
      await waitFor(async () => ((await spec()) === '00:00') === (clock === '00:00'), {
        what: `the spec is ${seconds}`,
      })
      taken.push(performance.now() - changed)
    }
    expect(Math.max(...taken)).toBeLessThan(10_000)
    expect(Math.min(...taken)).toBeLessThan(3000)

    // What runs is shown, and that the change waits.
    await db.run(`UPDATE task SET execute_func = 'broken', args = '9'`)
    await waitFor(async () => (await daemon.control.listSqlJobs())[0]?.waits.length === 2, {
      what: 'the change is seen',
    })
    const listed = (await daemon.cli('task', 'list')).stdout
    expect(listed).toContain('note(1,"two",[3])')
    expect(listed.replaceAll(/\s+/g, ' ')).toContain('execute_func, args: a change waits until')
    expect(listed).not.toContain('broken')

    await db.run(`UPDATE task SET is_valid = 0`)
    await waitFor(async () => (await jobOf(daemon, 'task:报表 a:b'))?.enabled === false, {
      what: 'the row is stopped',
    })
    expect(await jobOf(daemon, 'task:报表 a:b')).toMatchObject({ held: 'is_valid = 0', next: null })

    const cli = async (...args: string[]) => {
      const result = await daemon.cli('task', ...args)
      expect([result.code, result.stderr]).toEqual([0, ''])
      return result
    }
    // Nothing is waited for: what a command answers is in force.
    await cli('spec', '报表 a:b', '7200')
    await cli('add', 'now', '--trigger', 'interval', '--spec', '7200', '--func', 'note')
    expect(await jobOf(daemon, 'task:now')).toMatchObject({ enabled: true })
    await cli('disable', 'now')
    expect(await jobOf(daemon, 'task:now')).toMatchObject({ enabled: false })
    await cli('enable', 'now')
    expect(await jobOf(daemon, 'task:now')).toMatchObject({ enabled: true, held: '' })
    await db.run(`DELETE FROM task WHERE task_key = 'now'`)
    await waitFor(async () => (await jobOf(daemon, 'task:now')) === undefined, {
      what: 'it is gone',
    })
    await waitFor(async () => (await daemon.redis.exists('Task:Cron:task:now')) === 0, {
      what: 'nothing of it is left in Redis',
    })
  })

  test('what is done with other jobs is done with them: run, pause, why, runs, fails, tail', async () => {
    await using daemon = newDaemon()
    await started(daemon)
    await using db = sqliteOf(daemon)
    await db.run(`${INSERT} ('ok', 'note', 'cron', '0 0 1 1 *', '', 1, 'ready')`)
    await db.run(`${INSERT} ('ko', 'broken', 'cron', '0 0 1 1 *', '', 1, 'ready')`)
    // Not seen yet, perhaps: a name that is not known is looked for.
    const ok = await daemon.cli('run', 'task:ok', '--wait')
    expect([ok.code, ok.stderr]).toEqual([0, ''])
    const ko = await daemon.cli('task', 'run', 'ko', '--wait')
    expect([ko.code, ko.stdout]).toEqual([1, expect.stringContaining('no luck')])
    await waitFor(
      async () => {
        const rows = jsonOf(await daemon.cli('fails', '--job', 'task:ko', '--json'))
        return (rows as object[]).length > 0
      },
      { what: 'the failure is archived' },
    )
    const runs = jsonOf(await daemon.cli('runs', 'task:ok', '--json')) as {
      unique_task_id: string
    }[]
    expect(runs).toHaveLength(1)
    const tail = await daemon.cli('tail', runs[0]?.unique_task_id ?? '')
    expect([tail.code, tail.stdout]).toEqual([0, expect.stringContaining('noted')])
    expect((await daemon.cli('pause', 'task:ok')).code).toBe(0)
    expect(await jobOf(daemon, 'task:ok')).toMatchObject({ held: 'paused by hand' })
    const why = await daemon.cli('why', 'task:ok')
    expect([why.code, why.stdout]).toEqual([0, expect.stringContaining('job task:ok is PAUSED')])
    expect((await daemon.cli('resume', 'task:ok')).code).toBe(0)
    const history = jsonOf(await daemon.cli('task', 'history', '--json'))
    expect(history).toMatchObject([
      { task_key: 'ko', status: 'fail' },
      { task_key: 'ok', status: 'succ' },
    ])
  })

  test('a bad row is told in status and in the row, and disturbs nobody', async () => {
    await using daemon = newDaemon()
    const script = daemon.script('tick.sh', '#!/bin/sh\necho tick >> "$1"\n')
    const ticks = join(daemon.dir, 'ticks')
    daemon.configure({
      ini: `[of_file]\ntask_key = sync_tasks\nrun_time = @every 1s\nscript = ${script}\ncontroller = ${ticks}\n`,
    })
    await started(daemon)
    await using db = sqliteOf(daemon)
    await db.run(
      `${INSERT} ('bad', '../x', 'cron', '99 * * * *', '1,', 1, 'ready'), ('past', 'note', 'date', '2020-01-01 00:00:00', '', 1, 'ready'), ('good', 'note', 'interval', '1', '', 1, 'ready')`,
    )
    await waitFor(() => notesOf(daemon).length > 0, { what: 'the good one runs' })
    const status = await daemon.cli('status')
    expect(status.code).toBe(0)
    expect(status.stdout).toMatch(/^task:bad +BAD +execute_func = \.\.\/x/m)
    expect(status.stdout).toMatch(/^task:past +BAD +spec = 2020-01-01 00:00:00: lies in/m)
    expect((await daemon.status()).sql_jobs).toMatchObject({ ok: true, count: 1, bad: 2 })
    const noted = await waitFor(
      async () =>
        (await db.run(`SELECT extra FROM task WHERE task_key = 'bad'`))
          .map(row => String(row['extra']))
          .find(extra => extra.includes('error')),
      { what: 'it is noted' },
    )
    expect(noted).toContain('99 in the minute field is out of range')
    const refused = await daemon.cli(
      'task',
      'add',
      'x',
      '--trigger',
      'cron',
      '--spec',
      '99 * * * *',
      '--func',
      'note',
    )
    expect([refused.code, refused.stderr]).toEqual([
      2,
      'taskd: spec = 99 * * * *: 99 in the minute field is out of range. write 0-59\n',
    ])
    expect((await daemon.cli('task', 'enable', 'nobody')).code).toBe(4)
    expect(linesOf(ticks).length).toBeGreaterThan(0)
  })

  test('a date that came while no daemon was there runs once, late', async () => {
    await using daemon = newDaemon({ taskd: { timezone: 'UTC' } })
    await started(daemon)
    const spec = new Date(Date.now() + 3000).toISOString().slice(0, 19).replace('T', ' ')
    await daemon.stop()
    {
      await using db = sqliteOf(daemon)
      await db.run(`${INSERT} ('once', 'note', 'date', '${spec}', '', 1, 'ready')`)
      await waitFor(() => Date.now() > Date.parse(`${spec.replace(' ', 'T')}Z`) + 1000, {
        what: 'the date is over',
      })
    }
    await daemon.start()
    await waitFor(() => notesOf(daemon).length === 1, { what: 'it runs' })
    // Known by its cursor from now on.
    await daemon.stop()
    await daemon.start()
    await waitFor(async () => (await jobOf(daemon, 'task:once'))?.last_code === 'succ', {
      what: 'it is known to have run',
    })
    expect(await jobOf(daemon, 'task:once')).toMatchObject({ next: null, held: '' })
    expect(notesOf(daemon)).toHaveLength(1)
  })
})

test('two daemons on one database run each tick once; a restart of it in between loses none for good', async () => {
  await using redis = await startRedis()
  await using maria = await startMariaDb()
  const taskd = { redis: redis.url, database: maria.url, node: '' }
  await using a = newDaemon({ taskd: { ...taskd, node: 'a' } })
  await using b = newDaemon({ taskd: { ...taskd, node: 'b' } })
  await Promise.all([started(a), started(b)])
  await using db = client(maria.url)
  await db.run(`${INSERT} ('tick', 'note', 'cron', '* * * * * *', '', 1, 'ready')`)
  const noted = () => notesOf(a).length + notesOf(b).length
  await waitFor(() => noted() >= 5, { what: 'it ticks' })

  await maria.kill()
  await waitFor(async () => !(await a.status()).database.ok && !(await b.status()).database.ok, {
    what: 'both notice that the database is away',
  })
  expect(await jobOf(a, 'task:tick')).toMatchObject({ held: '' })
  await maria.restart()
  await waitFor(async () => (await a.status()).database.ok && (await b.status()).database.ok, {
    what: 'both have it back',
  })
  const before = noted()
  await waitFor(() => noted() >= before + 5, { what: 'it ticks on' })

  // By the shell of one, at once for that one; the other is told.
  expect((await a.cli('task', 'disable', 'tick')).code).toBe(0)
  expect(await jobOf(a, 'task:tick')).toMatchObject({ enabled: false })
  await waitFor(async () => (await jobOf(b, 'task:tick'))?.enabled === false, {
    what: 'the other has been told',
  })
  const doing = () => db.run(`SELECT id FROM execute_task WHERE status = 'doing'`)
  await waitFor(async () => (await doing()).length === 0, { what: 'all runs have ended' })
  const rows = await db.run(`SELECT status, extra FROM execute_task`)
  const ids = rows.map(
    row => (JSON.parse(String(row['extra'])) as { unique_task_id: string }).unique_task_id,
  )
  const ended = rows.filter(row => row['status'] === 'succ')
  expect(new Set(ids).size).toBe(ended.length)
  expect(noted()).toBe(ended.length)
})
