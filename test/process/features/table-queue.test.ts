import { execFile } from 'node:child_process'
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newDaemon, startDaemon, type TestDaemon } from '../../support/daemon.ts'
import { ENGINE_NAMES, ENGINES, type Engine, type EngineName } from '../../support/engines.ts'
import { type SqlServer, startMariaDb } from '../../support/servers.ts'
import { type App, smsTable, taskIds } from '../../support/sources.ts'
import { waitFor } from '../../support/wait.ts'

const run = promisify(execFile)

/** Writes down the row that it runs for. */
const LEDGER = '#!/bin/sh\necho "$3" >> "$1"\necho \'{"code":"succ","msg":"ran"}\'\n'

const section = (database: string, script: string, ...lines: string[]) =>
  [
    '[source:sms]',
    `database = ${database}`,
    'table = sms',
    'task_key = async_tasks',
    'poll = 100ms',
    `script = ${script}`,
    'param_column = param',
    'result_column = result',
    ...lines,
    '',
  ].join('\n')

const linesOf = (file: string) =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []

/** Makes every mark hang, as a database does that is busy with something else. */
async function holdMarks(name: EngineName, app: App): Promise<() => Promise<void>> {
  const { db } = app
  if (name === 'sqlite') {
    // It cannot wait; but it can refuse, as one does whose disk is full.
    await sql`create trigger slow before update on sms when new.status = 1
      begin select raise(abort, 'not now'); end`.execute(db)
    return async () => void (await sql`drop trigger slow`.execute(db))
  }
  if (name === 'mariadb') {
    await sql`create trigger slow before update on sms for each row
      begin if new.status = 1 then do sleep(60); end if; end`.execute(db)
    return async () => {
      const found = await sql<{ id: number }>`select id from information_schema.processlist
        where state = 'User sleep'`.execute(db)
      for (const { id } of found.rows) await sql`kill ${sql.lit(id)}`.execute(db)
      await sql`drop trigger slow`.execute(db)
    }
  }
  await sql`create function slow() returns trigger language plpgsql as
    $$ begin perform pg_sleep(60); return new; end $$`.execute(db)
  await sql`create trigger slow before update on sms for each row when (new.status = 1)
    execute function slow()`.execute(db)
  return async () => {
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where pid <> pg_backend_pid() and query like 'update%'`.execute(db)
    await sql`drop trigger slow on sms`.execute(db)
  }
}

describe.each(ENGINE_NAMES)('table queues in %s', name => {
  let engine: Engine
  beforeAll(async () => {
    engine = await ENGINES[name]()
  })
  afterAll(() => engine.remove())

  test('a daemon that is killed between the queue and the mark has each row run once', async () => {
    await using daemon = newDaemon()
    // As the configuration wants it: with a host, though the server is asked by its socket.
    const url = engine.freshUrl().replace('@/', '@localhost/')
    const app = await smsTable(url)
    const ledger = join(daemon.dir, 'ledger')
    const script = daemon.script('ledger.sh', LEDGER)
    daemon.configure({ ini: section(url, script, `controller = ${ledger}`) })
    await daemon.start()
    await app.insert(1, 10)
    await waitFor(async () => (await app.count(2)) === 10, { what: 'the first ones are done' })

    await daemon.cli('pause', 'async_tasks')
    const release = await enqueueUnmarked(app, daemon)
    await daemon.cli('resume', 'async_tasks')
    await waitFor(() => linesOf(ledger).length === 20, { what: 'all ran' })
    await daemon.kill()
    await release()
    // None is marked; a row whose result is written first needs no mark.
    expect(await app.count(1)).toBe(0)
    await daemon.start()
    await waitFor(async () => (await app.count(2)) === 20, { what: 'all are done' })
    const ran = Array.from({ length: 20 }, (_, n) => `n=${n + 1}`)
    expect(linesOf(ledger).toSorted()).toEqual(ran.toSorted())
    await app.close()
  })

  /** Ten more rows that are in the queue, while their marks hang. */
  async function enqueueUnmarked(app: App, daemon: TestDaemon): Promise<() => Promise<void>> {
    const release = await holdMarks(name, app)
    await app.insert(11, 20)
    await waitFor(async () => (await taskIds(daemon.redis, 'async_tasks')).length === 10, {
      what: 'they are in the queue',
    })
    return release
  }
})

describe('the example', () => {
  let server: SqlServer
  beforeAll(async () => {
    server = await startMariaDb()
  })
  afterAll(() => server.remove())

  test('text messages go out by PHP, and every end is in the table', async () => {
    await using daemon = newDaemon()
    const folder = join(daemon.dir, 'sms')
    cpSync('examples/sms', folder, { recursive: true })
    cpSync('test/support/cli-database.php', join(folder, 'database.php'))
    const mariadb = ['mariadb', '--no-defaults', '-uroot', `-S${server.path}`, '--batch', '--raw']
    const query = async (text: string, database = 'shop') => {
      const [file = '', ...args] = mariadb
      const { stdout } = await run(file, [...args, `-D${database}`, '-e', text])
      return stdout.trimEnd().split('\n').slice(1)
    }
    await query('create database shop', 'mysql')
    await query(readFileSync('examples/sms/schema.sql', 'utf8'))
    const env = { ...process.env, CLI_DATABASE: JSON.stringify([...mariadb, '-Dshop', '-e']) }
    const add = async (...args: string[]) => {
      const { stdout } = await run('php', [join(folder, 'add_queue.php'), ...args], { env })
      return Number(stdout)
    }
    const outbox = join(daemon.dir, 'sms.log')
    const ini = readFileSync('examples/sms/cron.ini', 'utf8')
      .replace(/mysql:\/\/\S+/, server.urlOf('shop'))
      .replace('/srv/sms/', `${folder}/`)
      .replace('/var/log/sms.log', outbox)
    daemon.configure({ ini })
    await daemon.start()
    const ids = [
      await add('13800138000', "it's on its way 🙂"),
      await add('nobody', 'hello'),
      await add('13900139000', 'later', '3600'),
    ]
    expect(ids).toEqual([1, 2, 3])
    const rows = () => query('select id, status, result from process order by id')
    await waitFor(async () => (await rows()).join().match(/^1\t2.*,2\t3.*,3\t1/s), {
      what: 'one is sent, one is refused, one waits for its time',
    })
    const [first = '', second = ''] = await rows()
    expect(JSON.parse(first.split('\t')[2] ?? '')).toMatchObject({ code: 'succ', msg: 'sent' })
    expect(JSON.parse(second.split('\t')[2] ?? '')).toEqual({
      code: 'refused',
      msg: 'nobody is no phone number',
      data: [],
    })
    const sent = () => linesOf(outbox).map(line => JSON.parse(line) as Record<string, string>)
    expect(sent()).toMatchObject([{ phone: '13800138000', text: "it's on its way 🙂" }])
    const status = await daemon.cli('status')
    expect(status.stdout).toMatch(/^sms\s+OPEN\s+rows of process to sms, 1 taken$/m)

    const code = `require '${folder}/database.php'; require '${folder}/Queue.class.php';
      $queue = new Queue(database()); $queue->again(1); echo $queue->find(2)['status'];`
    expect((await run('php', ['-r', code], { env })).stdout).toBe('3')
    await waitFor(() => sent().length === 2, { what: 'it is sent again' })
    expect(new Set(sent().map(one => one['key'])).size).toBe(2)
  })
})

test('what is cancelled, or takes its workers down with it, is written back as failed', async () => {
  await using daemon = newDaemon()
  const url = `sqlite:${join(daemon.dir, 'app.db')}`
  const app = await smsTable(url)
  const deadly = daemon.script('deadly.sh', '#!/bin/sh\nkill -KILL $PPID\nsleep 5\n')
  daemon.configure({ ini: section(url, deadly, 'start_time_column = run_at') })
  await daemon.start()
  await app.insert(1, 1)
  await app.insert(2, 2, { run_at: '2099-01-01 00:00:00' })
  const failed = async () => (await app.rows()).filter(row => row.status === '3')
  await waitFor(async () => (await failed()).length === 1, { what: 'it is buried' })
  const ids = await daemon.redis.zrange('{taskd}:async_tasks:delayed', '0', '-1')
  expect(ids).toHaveLength(1)
  expect((await daemon.cli('cancel', ids[0] ?? '')).code).toBe(0)
  const rows = await waitFor(
    async () => {
      const found = await failed()
      return found.length === 2 && found
    },
    { what: 'the other is cancelled' },
  )
  expect(rows.map(row => (JSON.parse(row.result ?? '') as { msg: string }).msg)).toEqual([
    expect.stringContaining('3'),
    expect.stringContaining('cancelled'),
  ])
  await app.close()
})

test('retries are the queue’s; the row learns the last word, which `taskd retry` may change', async () => {
  await using daemon = newDaemon()
  const url = `sqlite:${join(daemon.dir, 'app.db')}`
  const app = await smsTable(url)
  const flag = join(daemon.dir, 'well')
  const script = daemon.script(
    'flaky.sh',
    '#!/bin/sh\necho run >> "$1.runs"\ntest -e "$1" || { echo \'{"code":"fail","msg":"not yet"}\'; exit 0; }\n',
  )
  const keys = [`controller = ${flag}`, 'retry_intervals = 100ms 100ms']
  daemon.configure({ ini: section(url, script, ...keys) })
  await daemon.start()
  await app.insert(1, 1)
  await waitFor(async () => (await app.count(3)) === 1, { what: 'it has failed' })
  expect(linesOf(`${flag}.runs`)).toHaveLength(3)
  const [fail] = await waitFor(
    async () => {
      const found = await daemon.control.fails({ limit: 9 })
      return found.length === 3 && found
    },
    { what: 'its failures are kept' },
  )
  daemon.script('well', '')
  expect((await daemon.cli('retry', fail?.unique_task_id ?? '')).code).toBe(0)
  await waitFor(async () => (await app.count(2)) === 1, { what: 'it is done' })
  await app.close()
})

test('a drained daemon takes no rows, and a reload changes a source live', async () => {
  await using daemon = await startDaemon()
  const url = `sqlite:${join(daemon.dir, 'app.db')}`
  const app = await smsTable(url)
  const script = daemon.script('true.sh', '#!/bin/sh\n')
  daemon.configure({ ini: section(url, script) })
  expect((await daemon.cli('plan')).stdout).toContain('source sms: added')
  expect((await daemon.cli('reload')).stdout).toContain('source sms: added')
  await app.insert(1, 1)
  await waitFor(async () => (await app.count(2)) === 1, { what: 'the first is done' })
  expect((await daemon.cli('drain')).code).toBe(0)
  await waitFor(async () => (await daemon.status()).state === 'drained', { what: 'drained' })
  await app.insert(2, 2)
  daemon.configure({ ini: section(url, script, 'batch = 7', 'done = 5') })
  expect((await daemon.cli('reload')).stdout).toContain('source sms: changed live (batch, done)')
  expect(await app.count(0)).toBe(1)
  expect((await daemon.cli('resume')).code).toBe(0)
  await waitFor(async () => (await app.count(5)) === 1, { what: 'the second is done' })
  daemon.configure({ ini: '' })
  expect((await daemon.cli('reload')).stdout).toContain('source sms: removed')
  expect((await daemon.status()).sources).toEqual([])
  await app.close()
})
