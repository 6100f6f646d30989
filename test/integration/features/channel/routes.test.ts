import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { dataRoutes } from '../../../../src/features/channel/data-routes.ts'
import { encryptRoutes } from '../../../../src/features/channel/encrypt-routes.ts'
import { contextOf, decryptField } from '../../../../src/lib/field-crypto.ts'
import type { ChannelSpec } from '../../../../src/model/channel.ts'
import {
  channelSpec,
  channelsOf,
  type OrdersTable,
  ordersTable,
} from '../../../support/channels.ts'
import { type TempDir, tempDir } from '../../../support/temp-dir.ts'
import { codeOf, openDoor } from '../../api/open-door.ts'

const KEYS = [
  { id: 'v2', key: Buffer.alloc(32, 2).toString('base64') },
  { id: 'v1', key: Buffer.alloc(32, 1).toString('base64') },
]
const fieldKeys = KEYS.map(({ id, key }) => ({ id, key: Buffer.from(key, 'base64') }))
const JSON_TYPE = { 'content-type': 'application/json' }

let folder: TempDir
let url: string
let table: OrdersTable
beforeEach(async () => {
  folder = tempDir('taskd-channels-')
  url = `sqlite:${folder.path}/orders.db`
  table = await ordersTable(url)
})
afterEach(async () => {
  await table.close()
  await folder.remove()
})

async function serve(...specs: readonly ChannelSpec[]) {
  const { channels, log } = channelsOf(specs, folder.path)
  await channels.start()
  const modules = [dataRoutes(channels), encryptRoutes(channels)]
  const secrets = { all: 'all', push: 'push', read: 'read' }
  const door = await openDoor({ modules, secrets })
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const all = { ...JSON_TYPE, secret: 'push', ...headers }
    return door.ask(path, { method: 'POST', headers: all, body: text })
  }
  return {
    post,
    door,
    channels,
    log,
    [Symbol.asyncDispose]: async () => {
      await door[Symbol.asyncDispose]()
      await channels.stop()
    },
  }
}

test('rows come as a list or in an object, and all of them are stored', async () => {
  await using server = await serve(channelSpec(url))
  const list = await server.post('/api/data/orders', [{ id: 1, note: '广州' }, { id: 2 }])
  expect([list.status, list.json()]).toEqual([200, { inserted: 2 }])
  expect((await server.post('/api/data/orders', { rows: [{ id: 3 }] })).json()).toEqual({
    inserted: 1,
  })
  expect((await server.post('/api/data/orders', [])).json()).toEqual({ inserted: 0 })
  expect(await table.ids()).toEqual([1, 2, 3])
})

test('what is wrong is named, and nothing is stored', async () => {
  await using server = await serve(channelSpec(url, { maxRows: 3 }))
  const wrong = await server.post('/api/data/orders', [{ id: 1 }, { note: 'x', idd: 2 }])
  expect([wrong.status, codeOf(wrong)]).toEqual([400, 'E_BAD_ROWS'])
  expect(wrong.text).toContain('rows[1].idd: is unknown, did you mean id?; rows[1].id: is missing')
  const many = await server.post('/api/data/orders', [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }])
  expect([many.status, codeOf(many)]).toEqual([400, 'E_BAD_ROWS'])
  expect(many.text).toContain('max_rows = 3')
  const twice = await server.post('/api/data/orders', [{ id: 1 }, { id: 1 }])
  expect([twice.status, codeOf(twice)]).toEqual([400, 'E_BAD_ROWS'])
  const gone = await server.post('/api/data/ordres', [{ id: 1 }])
  expect([gone.status, codeOf(gone)]).toEqual([404, 'E_NO_CHANNEL'])
  expect(gone.text).toContain('did you mean orders?')
  for (const junk of ['{', '"x"', '{"row":[]}', '{"rows":{}}', '7', 'null'])
    expect((await server.post('/api/data/orders', junk)).status).toBe(400)
  expect(await table.ids()).toEqual([])
})

test('a batch with a name is stored once, whether the name is a field or a header', async () => {
  await using server = await serve(channelSpec(url))
  const rows = [{ id: 1 }, { id: 2 }]
  const first = await server.post('/api/data/orders', { rows, batch_id: 'a-1' })
  expect(first.json()).toEqual({ inserted: 2 })
  const again = await server.post('/api/data/orders', rows, { 'batch-id': 'a-1' })
  expect(again.json()).toEqual({ inserted: 2, duplicate: true })
  const bad = await server.post('/api/data/orders', rows, { 'batch-id': 'a 1' })
  expect([bad.status, codeOf(bad)]).toEqual([400, 'E_BAD_REQUEST'])
  expect(await table.ids()).toEqual([1, 2])
})

test('only who may push may call, and no answer to others says which channels there are', async () => {
  await using server = await serve(channelSpec(url))
  for (const path of ['/api/data/orders', '/api/data/none', '/api/encrypt']) {
    expect((await server.post(path, [], { secret: 'read' })).status).toBe(403)
    expect((await server.post(path, [], { secret: 'wrong' })).status).toBe(401)
  }
})

test('no value of a row is ever in the log', async () => {
  await using server = await serve(channelSpec(url))
  const secret = 'value-of-a-row'
  await server.post('/api/data/orders', [{ id: 1, note: secret }, { id: 1 }])
  await server.post('/api/data/orders', [{ id: secret }])
  await table.db.schema.dropTable('orders').execute()
  const kept = await server.post('/api/data/orders', [{ id: 1, note: secret }])
  expect([kept.status, kept.json()]).toEqual([202, { spooled: 1 }])
  expect(JSON.stringify([server.log.lines, server.door.logged])).not.toContain(secret)
  expect(server.log.has('a channel cannot fill its table')).toBe(true)
})

test('secret fields come back encrypted, by row and field, and the others as they are', async () => {
  const spec = channelSpec(url, { encrypt: ['note'], keys: KEYS })
  await using server = await serve(spec)
  const rows = [{ id: 1, note: 'secret', more: [1] }, { id: 2 }, { note: null }, { note: 5 }]
  const answer = await server.post('/api/encrypt', { channel: 'orders', rows })
  const found = answer.json()['rows'] as Record<string, unknown>[]
  expect(found.map(row => ({ ...row, note: typeof row['note'] }))).toEqual([
    { id: 1, note: 'string', more: [1] },
    { id: 2, note: 'undefined' },
    { note: 'object' },
    { note: 'string' },
  ])
  const open = (value: unknown) =>
    decryptField(fieldKeys, contextOf('orders', 'note'), String(value))
  expect(found.map(row => open(row['note']))).toEqual(['secret', undefined, undefined, '5'])
  expect(found[0]?.['note']).toMatch(/^v2\./)
  const fields = await server.post('/api/encrypt', { fields: { note: 'one', id: 9 } })
  expect(open((fields.json()['fields'] as Record<string, unknown>)['note'])).toBe('one')
  const bad = await server.post('/api/encrypt', { rows: [{ note: {} }, 5] })
  expect([bad.status, codeOf(bad)]).toEqual([400, 'E_BAD_ROWS'])
  expect(bad.text).toContain('rows[0].note: is neither text nor number; rows[1]: is no object')
})

test('rows are encrypted on their way in, once, whoever asked first', async () => {
  const spec = channelSpec(url, { encrypt: ['note'], keys: KEYS })
  await using server = await serve(spec)
  const asked = await server.post('/api/encrypt', { rows: [{ id: 2, note: 'asked' }] })
  const rows = [
    { id: 1, note: 'plain' },
    ...(asked.json()['rows'] as unknown[]),
    { id: 3, note: 'v2.AAAA' },
  ]
  expect((await server.post('/api/data/orders', rows)).json()).toEqual({ inserted: 3 })
  const stored = await table.db.selectFrom('orders').select('note').orderBy('id').execute()
  const open = (value: unknown) =>
    decryptField(fieldKeys, contextOf('orders', 'note'), String(value))
  expect(stored.map(row => open(row['note']))).toEqual(['plain', 'asked', 'v2.AAAA'])
})

test('which channel encrypts must be said where there are several, or none', async () => {
  const encrypting = { encrypt: ['note'], keys: KEYS }
  await using server = await serve(
    channelSpec(url),
    channelSpec(url, { name: 'b', ...encrypting }),
    channelSpec(url, { name: 'c', ...encrypting }),
  )
  const nothing = await server.post('/api/encrypt', { channel: 'c' })
  expect([nothing.status, nothing.text]).toEqual([
    400,
    expect.stringContaining('send rows or fields'),
  ])
  const vague = await server.post('/api/encrypt', { rows: [] })
  expect([vague.status, vague.text]).toEqual([
    400,
    expect.stringContaining('several channels encrypt'),
  ])
  const none = await server.post('/api/encrypt', { channel: 'orders', rows: [] })
  expect([none.status, none.text]).toEqual([400, expect.stringContaining('encrypts nothing')])
  expect((await server.post('/api/encrypt', { channel: 'c', rows: [] })).json()).toEqual({
    rows: [],
  })
  expect((await server.post('/api/encrypt', { channel: 'd', rows: [] })).status).toBe(404)
})

/** Answers as `answer` says, and remembers what it was asked. */
async function upstream(
  answer: (
    path: string,
  ) => { status: number; headers?: Record<string, string>; body?: string } | undefined,
) {
  const asked: { headers: unknown; body: string }[] = []
  const server: Server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => {
      body += part.toString()
    })
    request.on('end', () => {
      asked.push({ headers: request.headers, body })
      const found = answer(request.url ?? '')
      if (found) response.writeHead(found.status, found.headers).end(found.body)
      else request.socket.destroy()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    asked,
    url: (path: string, user = '') => `http://${user}127.0.0.1:${port}${path}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

test('another service may encrypt: it gets the request, and its answer is handed on as it is', async () => {
  const headers = { 'content-type': 'text/plain; charset=gbk' }
  await using other = await upstream(() => ({ status: 418, headers, body: 'as it is' }))
  await using server = await serve(channelSpec(url, { encryptUrl: other.url('/x', 'u:p%40@') }))
  const request = { channel: 'orders', anything: { it: ['understands'] } }
  const answer = await server.post('/api/encrypt', request)
  expect([answer.status, answer.text]).toEqual([418, 'as it is'])
  expect(answer.headers['content-type']).toBe('text/plain; charset=gbk')
  expect(JSON.parse(other.asked[0]?.body ?? '')).toEqual(request)
  const authorization = `Basic ${Buffer.from('u:p@').toString('base64')}`
  expect(other.asked[0]?.headers).toMatchObject({ authorization })
  expect(other.asked[0]?.headers).not.toHaveProperty('secret')
})

test('a service that is away, redirects or says far too much is 503, with the reason', async () => {
  await using other = await upstream(path => {
    if (path === '/redirect')
      return { status: 302, headers: { location: 'http://169.254.169.254/' } }
    if (path === '/much') return { status: 200, body: 'x'.repeat(17 << 20) }
    if (path === '/empty') return { status: 204 }
    return undefined
  })
  const names = ['redirect', 'much', 'cut', 'empty']
  const specs = names.map(name => channelSpec(url, { name, encryptUrl: other.url(`/${name}`) }))
  await using server = await serve(...specs)
  const said: [number, unknown][] = []
  for (const channel of names.slice(0, 3)) {
    const answer = await server.post('/api/encrypt', { channel })
    said.push([answer.status, codeOf(answer)])
  }
  expect(said).toEqual(Array.from({ length: 3 }, () => [503, 'E_UPSTREAM_AWAY']))
  expect((await server.post('/api/encrypt', { channel: 'empty' })).status).toBe(204)
})
