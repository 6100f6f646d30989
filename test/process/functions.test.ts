import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { RUN_ENDS } from '../../src/queue/keys.ts'
import { killNow } from '../support/daemon.ts'
import { startMariaDb } from '../support/servers.ts'
import { begun, type Row, type SqlDaemon, startSqlDaemon } from '../support/sql-runs.ts'
import { waitFor } from '../support/wait.ts'

const letGo = ({ daemon }: SqlDaemon) => writeFileSync(join(daemon.dir, 'go'), '')
const states = (rows: readonly Row[]) => rows.map(row => row.status).join()
const are = (wanted: string) => (rows: readonly Row[]) => states(rows) === wanted

/** Runs `held` and waits until its function has begun. */
async function hold(sql: SqlDaemon): Promise<string> {
  await sql.add('held')
  const id = await sql.run('held')
  await waitFor(() => begun(sql.daemon).length === 1, { what: 'the function has begun' })
  return id
}

describe('a row of task whose function runs', () => {
  test('is doing until it ends, and the run has a row that says how, in every language', async () => {
    await using sql = await startSqlDaemon()
    const functions = {
      'one.js': 'exports.one = (key, n, run) => ({ key, n, run })',
      'two.ts': 'export const two = (key: string, n: number, run: object) => ({ key, n, run })',
      'three.py': 'async def three(key, n, **run):\n    return {"key": key, "n": n, "run": run}\n',
      'four.php': '<?php function four($key, $n, $run) { return compact("key", "n", "run"); }',
    }
    for (const [file, text] of Object.entries(functions)) {
      const [name = ''] = file.split('.')
      sql.write(`interval/${file}`, text)
      await sql.add(name, '42')
      const id = await sql.run(name)
      const all = await sql.rows(
        rows =>
          rows.at(-1)?.extra['unique_task_id'] === id && rows.every(row => row.status === 'succ'),
        `${name} has succeeded`,
      )
      const row = all.at(-1)
      expect(row?.extra).toEqual({
        code: 'succ',
        msg: '',
        data: { key: name, n: 42, run: { sub_task_id: row?.id, trace_id: `${id}:1` } },
        kind: '',
        duration_ms: expect.any(Number),
        unique_task_id: id,
        attempt: 1,
        worker_id: expect.stringContaining('-async_tasks-1'),
        node: expect.any(String),
      })
      expect(await sql.status(name)).toBe('ready')
    }
    await hold(sql)
    expect(await sql.status('held')).toBe('doing')
    letGo(sql)
    await sql.rows(are('succ,succ,succ,succ,succ'), 'all have succeeded')
    expect(await sql.status('held')).toBe('ready')
    expect(await sql.daemon.redis.hlen(RUN_ENDS)).toBe(0)
  })

  test('fails clearly where the function is missing or throws', async () => {
    await using sql = await startSqlDaemon()
    sql.write(
      'interval/thrower.mjs',
      'export function thrower() { throw new Error("out of milk") }',
    )
    await sql.add('thrower')
    await sql.add('nobody')
    await sql.run('thrower')
    const [thrown] = await sql.rows(are('fail'), 'it has failed')
    expect(thrown?.extra).toMatchObject({ code: 'fail', msg: 'out of milk', kind: 'exit' })
    await sql.run('nobody')
    const [, missing] = await sql.rows(are('fail,fail'), 'the other has failed')
    const folder = join(sql.daemon.dir, 'tasks', 'interval')
    const msg = `no function nobody in ${folder}: looked for nobody.js, .mjs, .ts, .py, .php`
    expect(missing?.extra).toMatchObject({ code: 'fail', msg, kind: 'spawn' })
  })

  test('is fired by its schedule', async () => {
    await using sql = await startSqlDaemon()
    sql.write('interval/often.mjs', 'export const often = (key, ...rest) => rest.slice(0, -1)')
    const row = { task_key: 'often', execute_func: 'often', trigger: 'interval', spec: '1' }
    await sql.store.tasks.add({ ...row, args: '"guess","hello"', is_valid: true })
    const rows = await sql.rows(all => states(all).startsWith('succ,succ'), 'it has fired twice')
    expect(rows[0]?.extra['data']).toEqual(['guess', 'hello'])
  })
})

describe('a row of execute_task is ended', () => {
  test('at once when its worker is KILLed, and the next attempt has a row of its own', async () => {
    await using sql = await startSqlDaemon()
    const id = await hold(sql)
    const killedAt = performance.now()
    process.kill(await sql.daemon.worker('-async_tasks-1'), 'SIGKILL')
    const rows = await sql.rows(are('fail,doing'), 'the first is lost and the second runs')
    expect(performance.now() - killedAt).toBeLessThan(8000)
    expect(rows[0]?.extra).toMatchObject({
      code: 'fail',
      msg: 'lost: its worker or machine died while it ran',
      kind: 'lost',
      unique_task_id: id,
      attempt: 1,
    })
    expect(await sql.status('held')).toBe('doing')
    await waitFor(() => begun(sql.daemon).length === 2, { what: 'it has begun again' })
    letGo(sql)
    const ended = await sql.rows(are('fail,succ'), 'the second has succeeded')
    expect(begun(sql.daemon).map(([attempt, row]) => [attempt, row])).toEqual(
      ended.map((row, place) => [place + 1, row.id]),
    )
    expect(await sql.status('held')).toBe('ready')
  })

  test('by the next daemon when the master is KILLed and the run ends meanwhile', async () => {
    await using sql = await startSqlDaemon()
    await hold(sql)
    await sql.daemon.kill()
    letGo(sql)
    const pid = begun(sql.daemon)[0]?.[2] ?? 0
    await waitFor(() => !existsSync(`/proc/${pid}`), { what: 'the function has ended' })
    await sql.daemon.start()
    await sql.rows(are('succ'), 'its row says so')
    expect(await sql.status('held')).toBe('ready')
    expect(begun(sql.daemon)).toHaveLength(1)
  })

  test('not while its run lives on under a worker that a KILLed master has left', async () => {
    await using sql = await startSqlDaemon()
    await hold(sql)
    await sql.daemon.kill()
    await sql.daemon.start()
    // The new daemon has looked at all rows once its own can be begun and ended.
    sql.write('interval/quick.mjs', 'export const quick = () => 1')
    await sql.add('quick')
    await sql.run('quick')
    await sql.rows(are('doing,succ'), 'another one has run')
    expect(await sql.status('held')).toBe('doing')
    letGo(sql)
    await sql.rows(are('succ,succ'), 'it has succeeded')
    expect(begun(sql.daemon)).toHaveLength(1)
  })

  test('by the next daemon when all is KILLed, and its task runs again', async () => {
    await using sql = await startSqlDaemon()
    await hold(sql)
    const doomed = sql.daemon.processes().map(one => one.pid)
    for (const pid of doomed) killNow(pid)
    await waitFor(() => doomed.every(pid => !existsSync(`/proc/${pid}/exe`)), {
      what: 'all is gone',
    })
    await sql.daemon.start()
    const rows = await sql.rows(are('fail,doing'), 'the first is lost and the second runs')
    expect(rows[0]?.extra).toMatchObject({ kind: 'lost', attempt: 1 })
    letGo(sql)
    await sql.rows(are('fail,succ'), 'the second has succeeded')
    expect(await sql.status('held')).toBe('ready')
  })

  test('when the daemon is told to stop: the run is given back and is no attempt', async () => {
    await using sql = await startSqlDaemon({ taskd: { stop_wait: '0s' } })
    await hold(sql)
    await sql.daemon.stop()
    expect(states(await sql.rows(rows => rows.length === 1, 'there is one row'))).toBe('fail')
    expect(await sql.status('held')).toBe('ready')
    letGo(sql)
    await sql.daemon.start()
    const rows = await sql.rows(are('fail,succ'), 'it has run again')
    expect(rows.map(row => [row.extra['kind'], row.extra['attempt']])).toEqual([
      ['returned', 1],
      ['', 1],
    ])
  })
})

test('while the database is away functions wait, other tasks do not, and no attempt is counted', async () => {
  await using server = await startMariaDb()
  await using sql = await startSqlDaemon({ taskd: { database: server.url } })
  await hold(sql)
  sql.write('interval/quick.mjs', 'export const quick = () => 1')
  await sql.add('quick')
  await sql.run('quick')
  await sql.rows(are('doing,succ'), 'another one has run')
  await server.stop()
  letGo(sql)
  await waitFor(async () => (await sql.daemon.redis.hlen(RUN_ENDS)) === 1, {
    what: 'the end waits in Redis',
  })
  await sql.run('quick')
  await waitFor(async () => (await sql.daemon.status()).queues.some(one => one.delayed === 1), {
    what: 'the function is delayed',
  })
  const script = sql.daemon.script('other.sh', '#!/bin/sh\necho \'{"code":"succ","msg":"ran"}\'\n')
  const request = { task_key: 'async_tasks', task: { script }, wait: true }
  const answer = await sql.daemon.control.push(request, new AbortController().signal)
  expect(answer).toMatchObject({ code: 'succ', msg: 'ran' })
  const { database } = await sql.daemon.status()
  expect(database).toMatchObject({ ok: false, runs_waiting: 1 })
  await server.restart()
  const rows = await sql.rows(are('succ,succ,succ'), 'all is as it should be')
  expect(rows.map(row => row.extra['attempt'])).toEqual([1, 1, 1])
  expect(await sql.status('held')).toBe('ready')
  expect(await sql.daemon.redis.hlen(RUN_ENDS)).toBe(0)
})
