import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { type OrdersTable, ordersTable } from '../../support/channels.ts'
import { newDaemon } from '../../support/daemon.ts'
import { startRedis } from '../../support/servers.ts'
import { waitFor } from '../../support/wait.ts'

const KEY = Buffer.alloc(32, 9).toString('base64')

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test('a daemon that is killed and started again stores what it has promised, once', async () => {
  const port = await freePort()
  await using other = await startRedis()
  const second = new Redis(other.path)
  await using daemon = newDaemon({ taskd: { http: `127.0.0.1:${port}` } })
  const place = join(daemon.dir, 'elsewhere')
  const database = `sqlite:${place}/orders.db`
  const ini = (max: number) => `[channel:orders]
database = ${database}
table = orders
columns = id!:int, note
max_rows = ${max}
encrypt = note
encrypt_key = v1:${KEY}
[relay:qk]
redis = ${other.url}
list = todo
results = back
`
  const settings = { taskd: { http: `127.0.0.1:${port}` } }
  daemon.configure({ ...settings, ini: ini(10) })
  // Its folder cannot be made: the database is away.
  writeFileSync(place, '')
  await daemon.start()
  const ask = async (path: string, body?: unknown) => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' } }
    const post = { ...init, body: JSON.stringify(body) }
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, body === undefined ? {} : post)
    return { status: answer.status, json: (await answer.json()) as Record<string, unknown> }
  }
  for (const id of [1, 2, 3]) {
    const answer = await ask('/api/data/orders', [{ id, note: `n${id}` }])
    expect(answer).toEqual({ status: 202, json: { spooled: 1 } })
  }
  expect((await daemon.status()).channels).toMatchObject([
    { name: 'orders', ok: false, backlog: 3, bad: 0, table: 'orders' },
  ])
  await daemon.kill()
  unlinkSync(place)
  mkdirSync(place)
  const table: OrdersTable = await ordersTable(database)
  await daemon.start()
  await waitFor(async () => (await daemon.status()).channels[0]?.backlog === 0, {
    what: 'all is in',
  })
  expect(await table.ids()).toEqual([1, 2, 3])

  const plan = async () => {
    daemon.configure({ ...settings, ini: ini(1) })
    return (await daemon.cli('reload')).stdout
  }
  expect(await plan()).toContain('channel orders: changed live (max_rows)')
  const many = await ask('/api/data/orders', [{ id: 4 }, { id: 5 }])
  expect([many.status, JSON.stringify(many.json)]).toEqual([
    400,
    expect.stringContaining('max_rows = 1'),
  ])
  const json = JSON.parse((await daemon.cli('status', '--json')).stdout) as Record<string, unknown>
  expect(json).toMatchObject({
    channels: [{ ok: true, inserted: 3 }],
    relays: [{ name: 'qk', ok: true }],
  })

  await second.rpush('todo', 'a', 'b')
  const { tasks } = (await ask('/api/relay/qk?count=1')).json as {
    tasks: { id: string; task: string }[]
  }
  expect(tasks.map(one => one.task)).toEqual(['a'])
  const report = { results: ['r'], done: tasks.map(one => one.id) }
  expect((await ask('/api/relay/qk', report)).json).toEqual({ pushed: 1, done: 1, unknown: [] })
  expect(await second.lrange('back', 0, -1)).toEqual(['r'])

  // What the manual says about PHP opens what lies in the table.
  const [stored] = await table.db.selectFrom('orders').select('note').where('id', '=', 2).execute()
  const [, php = ''] =
    /```php\n(function decrypt[^]*?)```/.exec(readFileSync('docs/http.md', 'utf8')) ?? []
  const call = `echo decrypt(['v1' => $argv[1]], 'orders', 'note', $argv[2]);`
  const args = ['-r', php + call, '--', KEY, String(stored?.['note'])]
  expect(execFileSync('php', args, { encoding: 'utf8' })).toBe('n2')
  expect(daemon.log()).not.toContain(KEY)
  await table.close()
  second.disconnect()
  expect((await daemon.stop()).code).toBe(0)
})
