import { basename, dirname, join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { SourceSpec } from '../../../../src/model/source.ts'
import { startProxy } from '../../../nemesis/proxy.ts'
import { ENGINE_NAMES, ENGINES, type Engine } from '../../../support/engines.ts'
import { startRedis, type TestServer, tempDir } from '../../../support/servers.ts'
import {
  type App,
  finish,
  type Node,
  rowsOf,
  smsTable,
  sourceNode,
  sourceSpec,
  taskIds,
} from '../../../support/sources.ts'
import { waitFor } from '../../../support/wait.ts'

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => String(from + n))

describe.each(ENGINE_NAMES)('a table queue in %s', name => {
  let engine: Engine
  let server: TestServer
  let app: App
  let spec: SourceSpec
  let nodes: Node[] = []

  beforeAll(async () => {
    engine = await ENGINES[name]()
    server = await startRedis()
  })
  afterAll(async () => {
    await engine.remove()
    await server.remove()
  })
  beforeEach(async () => {
    const url = engine.freshUrl()
    app = await smsTable(url)
    spec = sourceSpec(url)
    const node = await newNode()
    await node.redis.flushall()
  })
  afterEach(async () => {
    await Promise.all(nodes.map(node => node.close()))
    nodes = []
    await app.close()
  })

  async function newNode(
    options: Parameters<typeof sourceNode>[2] = {},
    other: Partial<SourceSpec> = {},
  ): Promise<Node> {
    const node = await sourceNode({ ...spec, ...other }, server.url, options)
    nodes.push(node)
    return node
  }

  async function running(...args: Parameters<typeof newNode>): Promise<Node> {
    const node = await newNode(...args)
    await node.source.start()
    node.source.take()
    return node
  }

  const taken = (count: number) =>
    waitFor(async () => (await app.count(1)) === count, { what: `${count} rows are taken` })

  test('rows become tasks, and what is no task is marked as failed and disturbs nobody', async () => {
    await app.insert(1, 3, { phone: '13800000000', rank_no: 2 })
    await app.insert(4, 4, { script: '' })
    await app.insert(5, 5, { run_at: '2031-05-06 07:08:09' })
    await app.insert(6, 6, { param: 'x'.repeat(131_072).slice(0, 60_000) })
    await app.insert(7, 7, { rank_no: 77 })
    const node = await running({}, { priorityColumn: 'rank_no', startTimeColumn: 'run_at' })
    await taken(5)
    await waitFor(async () => (await app.count(3)) === 2, { what: 'two have failed' })
    const ids = await taskIds(node.redis)
    expect(rowsOf(ids)).toEqual(['1', '2', '3', '5', '6'])
    const find = async (row: string) => {
      const id = ids.find(one => one.startsWith(`source@sms@${row}@`)) ?? ''
      return node.queues.find(['q'], id)
    }
    expect((await find('2'))?.task).toMatchObject({
      script: '/srv/send.php',
      controller: 'Sms',
      function: '13800000000',
      param: 'n=2',
      priority: 2,
    })
    const later = await find('5')
    expect(later).toMatchObject({ state: 'delayed', task: { priority: 5 } })
    // The engine counts from now on.
    const due = Date.parse('2031-05-05T23:08:09Z')
    expect(Math.abs((later?.dueAt ?? 0) - due)).toBeLessThan(100)
    const failed = (await app.rows()).filter(row => row.status === '3')
    expect(failed.map(row => JSON.parse(row.result ?? '') as unknown)).toEqual([
      { code: 'fail', msg: 'not a task: "script" is missing: the file to run', data: [] },
      { code: 'fail', msg: expect.stringContaining('"priority" is not'), data: [] },
    ])
    expect(await node.source.status()).toMatchObject({ ok: true, taken: 5, bad: 2, open: 5 })
  })

  test.each([true, false])('two nodes share 3,000 rows, each once (locks: %s)', async locks => {
    await app.insert(1, 1500)
    const pair = [await running({ skipLocked: locks }), await running({ skipLocked: locks })]
    await app.insert(1501, 3000)
    await taken(3000)
    expect(rowsOf(await taskIds(pair[0]?.redis as Node['redis']))).toEqual(numbers(1, 3000))
  })

  test('a claim that dies between the queue and the mark is repeated, and doubles nothing', async () => {
    await app.insert(1, 50)
    const dying = await newNode({
      wrap: queues => ({
        counts: key => queues.counts(key),
        async add(...args) {
          await queues.add(...args)
          throw new Error('killed here')
        },
      }),
    })
    dying.source.take()
    await waitFor(async () => (await taskIds(dying.redis)).length === 50, { what: 'enqueued' })
    await dying.source.hold()
    expect(await app.count(0)).toBe(50)
    // More rows, another batch: the ids are the rows' own.
    await app.insert(51, 60)
    const next = await running({}, { batch: 7 })
    await taken(60)
    expect(rowsOf(await taskIds(next.redis))).toEqual(numbers(1, 60))
  })

  test('what ended before its row was marked is known, also when the queue has forgotten it', async () => {
    await app.insert(1, 3)
    const dying = await newNode({
      wrap: queues => ({
        counts: key => queues.counts(key),
        async add(...args) {
          await queues.add(...args)
          throw new Error('killed here')
        },
      }),
    })
    dying.source.take()
    const ids = await waitFor(
      async () => {
        const found = await taskIds(dying.redis)
        return found.length === 3 && found
      },
      { what: 'enqueued' },
    )
    await dying.source.hold()
    for (const id of ids) {
      await finish(dying.redis, id)
      await dying.queues.remove('q', id)
    }
    // It takes, and does not write: as another node that is faster than the one that writes.
    const taking = await newNode()
    taking.source.take()
    await taken(3)
    expect(await taskIds(taking.redis)).toEqual([])
    await taking.source.start()
    await waitFor(async () => (await app.count(2)) === 3, { what: 'written' })
    expect(await taking.source.status()).toMatchObject({ open: 0, backlog: 0 })
  })

  test('answers are written back; a row that is set to ready again runs again, once', async () => {
    await app.insert(1, 3)
    const node = await running()
    await taken(3)
    const first = await taskIds(node.redis)
    await finish(node.redis, first[0] ?? '', { msg: '寄出 "ok" 🙂' })
    await finish(node.redis, first[1] ?? '', { succeeded: false, msg: 'no such number' })
    node.source.nudge()
    await waitFor(async () => (await app.count(2)) + (await app.count(3)) === 2, {
      what: 'written',
    })
    const rows = await app.rows()
    expect(rows.map(row => row.status)).toEqual(['2', '3', '1'])
    expect(JSON.parse(rows[0]?.result ?? '')).toEqual({
      code: 'succ',
      msg: '寄出 "ok" 🙂',
      data: [],
    })
    for (const row of [1, 2, 3]) await app.setStatus(row, 0)
    await taken(3)
    const second = (await taskIds(node.redis)).filter(id => !first.includes(id))
    // The third one still waits: it is not there twice.
    expect(rowsOf(second)).toEqual(['1', '2'])
    for (const id of [...second, first[2] ?? '']) await finish(node.redis, id)
    node.source.nudge()
    await waitFor(async () => (await app.count(2)) === 3, { what: 'all are done' })
    expect(await node.source.status()).toMatchObject({ open: 0, backlog: 0, written: 5 })
  })

  test('a verdict that comes late changes a failed row, and none that has begun anew', async () => {
    await app.insert(1, 2)
    const node = await running()
    await taken(2)
    const ids = await taskIds(node.redis)
    for (const id of ids) await finish(node.redis, id, { succeeded: false })
    await waitFor(async () => (await app.count(3)) === 2, { what: 'both have failed' })
    await app.setStatus(2, 0)
    await waitFor(async () => (await app.count(1)) === 1, { what: 'the second has begun anew' })
    // As `taskd retry` would end them.
    for (const id of ids) await finish(node.redis, id)
    await waitFor(async () => (await node.source.status()).backlog === 0, { what: 'all read' })
    expect((await app.rows()).map(row => row.status)).toEqual(['2', '1'])
  })

  test('an answer that does not fit is shortened, and a row that is refused holds up no other', async () => {
    const url = engine.freshUrl()
    const short = await smsTable(
      url,
      sql`create table sms (id integer primary key, status varchar(9) not null,
        script varchar(20), phone varchar(20), param varchar(20), result varchar(260),
        check (length(result) < 260), check (id <> 3 or status <> 'done'))`,
    )
    const words = { ready: 'ready', taken: 'taken', done: 'done', failed: 'failed' }
    await short.insert(1, 3, { status: 'ready', script: '/a' })
    const node = await running({}, { ...words, database: url })
    await waitFor(async () => (await short.count('taken')) === 3, { what: 'taken' })
    for (const id of await taskIds(node.redis))
      await finish(node.redis, id, { msg: `寄 ${'x'.repeat(1000)}` })
    node.source.nudge()
    await waitFor(async () => (await short.count('done')) === 2, { what: 'two are done' })
    await waitFor(async () => (await node.source.status()).backlog === 1, { what: 'one is left' })
    const [first] = await short.rows()
    expect(JSON.parse(first?.result ?? '')).toMatchObject({
      code: 'succ',
      msg: expect.stringMatching(/^寄 x+$/),
    })
    expect(await node.source.status()).toMatchObject({ ok: false, open: 1, backlog: 1 })
    expect(node.log.lines.filter(line => line.level === 'error')).toMatchObject([
      { fields: { source: 'sms', row: '3' } },
    ])
    await short.close()
  })

  test('a thousand answers that all differ find their rows, also in a column of type json', async () => {
    const url = engine.freshUrl()
    const type = sql.raw({ sqlite: 'text', mariadb: 'json', postgres: 'jsonb' }[name])
    const json = await smsTable(
      url,
      sql`create table sms (id integer primary key, status int not null default 0,
        script varchar(20), phone varchar(20), param ${type}, result ${type})`,
    )
    await json.insert(1, 1000, { script: '/a', param: '{"a":[1]}' })
    const node = await running({}, { database: url })
    await waitFor(async () => (await json.count(1)) === 1000, { what: 'taken' })
    const ids = await taskIds(node.redis)
    const { task } = (await node.queues.find(['q'], ids[0] ?? '')) ?? {}
    // SQLite has no type of its own for it: there it is text.
    expect(task?.param).toBe(name === 'sqlite' ? '{"a":[1]}' : 'a%5B0%5D=1')
    for (const id of ids) await finish(node.redis, id, { msg: `for ${rowsOf([id])[0]}` })
    node.source.nudge()
    await waitFor(async () => (await json.count(2)) === 1000, { what: 'all are done' })
    for (const { id, result } of await json.rows()) {
      const answer: unknown = typeof result === 'string' ? JSON.parse(result) : result
      expect(answer).toMatchObject({ code: 'succ', msg: `for ${id}` })
    }
    await json.close()
  })

  test('a table that is missing is told once, and taken from when it is there', async () => {
    const url = engine.freshUrl()
    const empty = await smsTable(url, sql`create table other (id integer)`)
    const node = await running({}, { database: url })
    await waitFor(async () => !(await node.source.status()).ok, { what: 'it says so' })
    expect((await node.source.status()).error).toMatch(/sms/)
    const late = await smsTable(url)
    await late.insert(1, 5)
    await waitFor(async () => (await late.count(1)) === 5, { what: 'taken' })
    await waitFor(async () => (await node.source.status()).ok, { what: 'it is well' })
    expect(node.log.lines.filter(line => line.level === 'warn')).toHaveLength(1)
    await empty.close()
    await late.close()
  })

  test('a column that is missing is told, whichever it is', async () => {
    await app.insert(1, 1)
    for (const key of ['idColumn', 'statusColumn', 'paramColumn', 'resultColumn'] as const) {
      const node = await running({}, { [key]: 'nope' })
      await waitFor(async () => !(await node.source.status()).ok, { what: `${key} is told` })
      expect((await node.source.status()).error).toContain('nope')
      await node.source.hold()
    }
    expect(await app.count(0)).toBe(1)
  })

  test('a column that can be no key is told, with what to do', async () => {
    await app.insert(1, 1)
    const node = await running({}, { idColumn: 'rank_no' })
    await waitFor(async () => !(await node.source.status()).ok, { what: 'it says so' })
    expect((await node.source.status()).error).toBe(
      'the column rank_no has a NULL, so it is no key. set id_column to a key that is a number or text',
    )
    expect(await app.count(0)).toBe(1)
  })

  test('no more is taken than its queue has room for', async () => {
    await app.insert(1, 40)
    const node = await running({ capacity: 25 }, { batch: 10 })
    await taken(25)
    await waitFor(async () => (await node.source.status()).full, { what: 'it is full' })
    expect(await app.count(0)).toBe(15)
    for (const id of (await taskIds(node.redis)).slice(0, 5)) await node.queues.remove('q', id)
    await taken(30)
    expect(new Set(rowsOf(await taskIds(node.redis))).size).toBe(25)
  })

  test('keys may be larger than a double, or any text', async () => {
    const url = engine.freshUrl()
    const type = name === 'sqlite' ? sql`text` : sql`varchar(150)`
    const other = await smsTable(
      url,
      sql`create table sms (id ${type} primary key, status int not null default 0, script ${type},
        phone ${type}, param ${type}, result ${type})`,
    )
    const keys = [`o'x"\\`, 'a:b@c%7E~', '广州 1', '', '9223372036854775807']
    for (const id of keys) await other.db.insertInto('sms').values({ id, script: '/a' }).execute()
    await app.db.insertInto('sms').values({ id: '9223372036854775807' }).execute()
    await app.db.insertInto('sms').values({ id: '9223372036854775806' }).execute()
    await running({}, { batch: 1 })
    await taken(2)
    const node = await running(
      {},
      { database: url, name: 'text', task: { ...spec.task, taskKey: 'p' } },
    )
    await waitFor(async () => (await other.count(1)) === 5, { what: 'text keys are taken' })
    const ids = [...(await taskIds(node.redis, 'p')), ...(await taskIds(node.redis))]
    expect(ids).toHaveLength(7)
    for (const id of ids) await finish(node.redis, id, { msg: `for ${rowsOf([id])[0]}` })
    await waitFor(async () => (await other.count(2)) === 5, { what: 'text keys are done' })
    await waitFor(async () => (await app.count(2)) === 2, { what: 'large keys are done' })
    for (const { id, result } of [...(await other.rows()), ...(await app.rows())])
      expect(JSON.parse(result ?? '')).toMatchObject({ msg: `for ${id}` })
    await other.close()
  })

  test('while Redis is frozen nothing is taken and no row stays locked; then nothing is doubled', async () => {
    const node = await running()
    server.freeze()
    try {
      await app.insert(1, 20)
      // The application goes on.
      for (const row of [1, 2, 3])
        await waitFor(
          () =>
            app.db
              .updateTable('sms')
              .set({ phone: '1' })
              .where('id', '=', row)
              .execute()
              .then(() => true),
          { what: 'a row can be changed' },
        )
      expect(await app.count(0)).toBe(20)
    } finally {
      server.thaw()
    }
    await taken(20)
    expect(rowsOf(await taskIds(node.redis))).toEqual(numbers(1, 20))
    expect((await node.source.status()).ok).toBe(true)
  })

  // SQLite has neither locks on rows nor a server.
  if (name === 'sqlite') return

  test('a row that somebody has locked is passed over', async () => {
    await app.insert(1, 5)
    let release: () => void = () => undefined
    const released = new Promise<void>(resolve => {
      release = resolve
    })
    let holding: Promise<void> = Promise.resolve()
    await new Promise<void>(locked => {
      holding = app.db.transaction().execute(async on => {
        await on.selectFrom('sms').select('id').where('id', '=', 3).forUpdate().execute()
        locked()
        await released
      })
    })
    const node = await running()
    await waitFor(async () => (await taskIds(node.redis)).length === 4, { what: 'four are taken' })
    expect(rowsOf(await taskIds(node.redis))).toEqual(['1', '2', '4', '5'])
    release()
    await holding
    await taken(5)
  })

  test('a database that restarts loses nothing and doubles nothing', async () => {
    await app.insert(1, 3000)
    const node = await running({}, { batch: 50 })
    await waitFor(async () => (await taskIds(node.redis)).length >= 500, { what: 'some' })
    await engine.server?.kill()
    for (const id of (await taskIds(node.redis)).slice(0, 300)) await finish(node.redis, id)
    node.source.nudge()
    await waitFor(async () => !(await node.source.status()).ok, { what: 'it is away' })
    await engine.server?.restart()
    await waitFor(async () => (await app.count(0)) === 0, { what: 'all are taken' })
    await waitFor(async () => (await app.count(2)) === 300, { what: '300 are done' })
    expect(rowsOf(await taskIds(node.redis))).toEqual(numbers(1, 3000))
    await waitFor(async () => (await node.source.status()).ok, { what: 'it is well' })
  })

  test('a node is well again with its database, also when another one has written its verdicts', async () => {
    const folder = tempDir('taskd-proxy-')
    const path = engine.server?.path ?? ''
    // Postgres finds its socket in a folder by a name that goes with the port.
    await using proxy = await startProxy(join(folder.path, basename(path)), path)
    const database = spec.database.replace(
      encodeURIComponent(name === 'postgres' ? dirname(path) : path),
      encodeURIComponent(name === 'postgres' ? folder.path : proxy.path),
    )
    await app.insert(1, 3)
    const node = await running({}, { database })
    await taken(3)
    proxy.set({ kind: 'cut' })
    for (const id of await taskIds(node.redis)) await finish(node.redis, id)
    node.source.nudge()
    await waitFor(() => node.log.has('what became of rows cannot be written'), {
      what: 'it cannot write',
    })
    const other = await newNode()
    await other.source.start()
    await waitFor(async () => (await app.count(2)) === 3, { what: 'the other one has written' })
    expect((await node.source.status()).ok).toBe(false)
    proxy.set({ kind: 'clear' })
    await waitFor(async () => (await node.source.status()).ok, { what: 'it is well' })
    await node.close()
    nodes = nodes.filter(one => one !== node)
    await folder.remove()
  })
})
