import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decryptField } from '../../src/lib/field-crypto.ts'
import { parseAddress } from '../../src/store/address.ts'
import { openDatabase } from '../../src/store/dialect.ts'
import type { AnyDb } from '../../src/store/migrations/steps.ts'
import { newDaemon, type TestDaemon } from '../support/daemon.ts'
import { startRedis } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

const SECRET = 'an-old-secret'
const KEY = Buffer.alloc(32, 7)

let daemon: TestDaemon
let other: Awaited<ReturnType<typeof startRedis>>
let second: Redis
let db: AnyDb
let server: string

const ini = (more = '') => `
  [queue:crawl]
  mode = pull
  retries = 2
  capacity = 4
  [channel:1]
  database = sqlite:${daemon.dir}/store.db
  table = one
  columns = name, phone:text, day
  max_rows = 2
  encrypt = phone
  encrypt_key = v1:${KEY.toString('base64')}
  legacy_path = /save_data_to_store /get_aes_from_store
  [channel:2]
  database = sqlite:${daemon.dir}/store.db
  table = two
  columns = name, day
  legacy_path = /save_data_to_store
  [relay:group_control]
  redis = ${other.url}
  list = todo
  results = back
  lease = 1s
  legacy_path = /get_gc_tasks /push_gc_tasks
  ${more}
`

beforeAll(async () => {
  other = await startRedis()
  second = new Redis(other.path)
  daemon = newDaemon()
  const taskd = { http: '127.0.0.1:0', secret: SECRET }
  daemon.configure({ taskd, ini: ini() })
  db = openDatabase(parseAddress(`sqlite:${join(daemon.dir, 'store.db')}`)) as AnyDb
  await sql`create table one (name text, phone text, day text)`.execute(db)
  await sql`create table two (name text, day text)`.execute(db)
  await daemon.start()
  const line = /http listens.*127\.0\.0\.1:(\d+)/
  const listens = await waitFor(() => line.exec(daemon.log()), { what: 'it says where it listens' })
  server = `http://127.0.0.1:${listens[1]}`
})
afterAll(async () => {
  await db.destroy()
  second.disconnect()
  await daemon.remove()
  await other.remove()
})

const run = promisify(execFile)
async function client(command: string, given: unknown, secret = SECRET): Promise<unknown> {
  const args = [resolve('test/support/old-client.py'), server, secret, command]
  const env = { ...process.env, no_proxy: '*' }
  const { stdout } = await run('python3', [...args, JSON.stringify(given)], { env })
  return JSON.parse(stdout)
}

test('tasks go in, are fetched and reported by a client of before', async () => {
  const pushed = await client('push', [
    ['/queue', { task_id: 'a', entrance: ['1'], person: { n: 1 } }],
    ['/queue', { task_id: 'a', entrance: ['1'], person: { n: 1 } }],
    ['/queues', [{ task_id: 'b', broken: true }, { task_id: 'c' }]],
    ['/promote', { task_id: 'c' }],
    ['/queues', [{ task_id: 'd' }, { task_id: 'e' }]],
  ])
  expect(pushed).toEqual([
    [200, '1', 'success'],
    [200, '0', 'duplicate'],
    [200, '1', 'success'],
    [200, '1', 'success'],
    [200, '0', expect.stringMatching(/^full: 1 of 2 tasks/)],
  ])
  const first = await client('work', { count: 3 })
  expect(first).toEqual({ finish: ['c', 'a'], failed: ['b'], reported: true })
  const again = await client('work', { count: 500 })
  expect(again).toEqual({ finish: ['d'], failed: ['b'], reported: true })
  expect(await client('work', { count: 500 })).toEqual({ finish: [], failed: [], reported: true })
  const failed = async () => {
    const rows = JSON.parse((await daemon.cli('fails', '--json')).stdout) as object[]
    return rows.length > 0 && rows
  }
  const [row] = await waitFor(failed, { what: 'the dead task is in fail_log' })
  expect(row).toMatchObject({ unique_task_id: 'b', attempt: 2, kind: 'fail' })
})

test('a wrong secret is 403 in the old form', async () => {
  const [answer] = (await client('push', [['/queue', { task_id: 'x' }]], 'wrong')) as unknown[]
  expect(answer).toEqual([403, '403', expect.stringMatching(/secret/)])
  await expect(client('work', { count: 1 }, 'wrong')).rejects.toThrow(/102: error in get_tasks/)
})

test('rows of several channels come in one list, by the order of their columns', async () => {
  const rows = [
    { channel: '1', data_list: ['Li', '138', '2026-11-30'] },
    { channel: '2', data_list: ['Wu', '2026-11-30'] },
    { channel: '1', data_list: ['Bo', null, '2026-11-30'] },
    { channel: '1', data_list: ['An', '139', '2026-11-30'] },
  ]
  expect(await client('rows', rows)).toBe(true)
  const header = { channel: '2', row: ['Xu', '2026-12-01'] }
  expect(await client('rows_by_header', header)).toBe(true)
  const { rows: one } = await sql<{ name: string; phone: string }>`select * from one`.execute(db)
  expect(one.map(row => row.name)).toEqual(['Li', 'Bo', 'An'])
  const keys = [{ id: 'v1', key: KEY }]
  expect(one.map(row => row.phone && decryptField(keys, '1/phone', row.phone))).toEqual([
    '138',
    null,
    '139',
  ])
  const { rows: two } = await sql<{ name: string }>`select * from two`.execute(db)
  expect(two.map(row => row.name)).toEqual(['Wu', 'Xu'])
  expect(await client('rows', [{ channel: '2', data_list: ['one value'] }])).toBe(false)
  expect(await client('rows', [{ channel: '3', data_list: ['a', 'b'] }])).toBe(false)
})

test('a field in a header comes back encrypted', async () => {
  const [status, code, field] = (await client('field', '字段1')) as [number, string, string]
  expect([status, code]).toEqual([200, '1'])
  expect(decryptField([{ id: 'v1', key: KEY }], '1/phone', field)).toBe('字段1')
})

test('tasks of the second Redis are handed out once and for all', async () => {
  await second.rpush('todo', 't1', '{"n":2}', 't3')
  const given = { count: 2, results: [{ any: 1 }, 'text'] }
  expect(await client('relay', given)).toEqual({
    status: 200,
    code: '1',
    tasks: ['t1', '{"n":2}'],
    pushed: true,
  })
  expect(await second.lrange('back', 0, -1)).toEqual(['{"any":1}', 'text'])
  // Nothing is lent any more that could come back after the lease.
  const [relay] = (await daemon.status()).relays ?? []
  expect(relay).toMatchObject({ backlog: 1, leased: 0 })
})

test('a reload brings other paths', async () => {
  const taskd = { http: '127.0.0.1:0', secret: SECRET }
  const more = `[channel:late]
  database = sqlite:${daemon.dir}/store.db
  table = two
  columns = name, day
  legacy_path = /save_late`
  daemon.configure({ taskd, ini: ini(more) })
  expect(await daemon.cli('reload')).toMatchObject({ code: 0 })
  const [answer] = (await client('push', [['/save_late', [['Yu', '2026-12-02']]]])) as unknown[]
  expect(answer).toEqual([200, '1', 'success'])
})
