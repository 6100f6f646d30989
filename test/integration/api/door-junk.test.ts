import { Agent, request } from 'node:http'
import {
  anything,
  array,
  assert,
  asyncProperty,
  boolean,
  constantFrom,
  dictionary,
  integer,
  json,
  oneof,
  record,
  string,
  uint8Array,
} from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { DoorModule } from '../../../src/api/door-routes.ts'
import { flag, integer as number } from '../../../src/api/fields.ts'
import { type OpenDoor, openDoor, whole } from './open-door.ts'

/** A route with all kinds of fields, as those of the public API have them. */
const example: DoorModule = door =>
  door.add({
    access: 'push',
    method: 'post',
    path: '/api/thing/{id}',
    tag: 'x',
    summary: 'x',
    listAs: 'things',
    params: z.object({
      id: z.string().min(1).max(255),
      count: number(0, 500).default(1),
      on: flag().optional(),
      names: z.array(z.string()).max(100).optional(),
      things: z.array(z.record(z.string(), z.unknown())).max(100).optional(),
    }),
    answers: { 200: { description: 'x' } },
    handle: (params, c) => c.json(params),
  })

/** What the fields of all routes are called: junk that has these gets further. */
const FIELDS =
  'names name by signal count unique_task_id job wait task_key task hurry kill restart limit lines follow stream things on __proto__ constructor x[]'.split(
    ' ',
  )

const junk = oneof(anything({ withNullPrototype: false }), string({ unit: 'binary' }), integer())
const fields = dictionary(constantFrom(...FIELDS), junk)
const nearly = record(
  {
    names: array(string({ maxLength: 20 }), { maxLength: 3 }),
    name: string({ unit: 'binary' }),
    signal: constantFrom('SIGHUP', 'HUP', 'toString'),
    count: integer(),
    unique_task_id: string({ unit: 'binary' }),
    job: string(),
    task_key: string(),
    task: dictionary(string(), junk),
    hurry: boolean(),
    kill: boolean(),
    restart: boolean(),
  },
  { requiredKeys: [] },
)

/** Of one who may do everything, so that all is tried. */
const SECRET = 'hush'

const written = oneof(
  fields.map(one => textOf(one)),
  nearly.map(one => textOf(one)),
  json(),
  string({ unit: 'binary' }),
).map(text => Buffer.from(text))

const body = oneof(
  written,
  uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
)
const type = constantFrom(
  'application/json',
  'application/json; charset=utf-16',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'multipart/form-data',
  'text/plain',
  ';;;',
  '',
)
const query = oneof(
  dictionary(constantFrom(...FIELDS), string({ unit: 'binary' })).map(one => queryOf(one)),
  string({ unit: 'grapheme-ascii' }).map(text => text.replaceAll(/[^!-~]/g, '%')),
)

function queryOf(fields: Readonly<Record<string, string>>): string {
  const pairs = new URLSearchParams()
  for (const [key, text] of Object.entries(fields)) pairs.append(key, text.toWellFormed())
  return pairs.toString()
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return '{}'
  }
}

function routesOf(door: OpenDoor): string[] {
  const all = door.app.routes.filter(route => route.method !== 'ALL')
  return [...new Set(all.map(route => `${route.method} ${route.path}`))]
}

test('whatever is sent to any route, the answer is JSON and never the word of a bug', async () => {
  await using door = await openDoor({ modules: [example], secrets: { all: SECRET } })
  using agent = Object.assign(new Agent({ keepAlive: true }), {
    [Symbol.dispose]: () => agent.destroy(),
  })
  const routes = routesOf(door)
  const statuses = new Set<number>()
  const id = string({ unit: 'binary', minLength: 1, maxLength: 30 })
  const property = asyncProperty(
    constantFrom(...routes),
    query,
    type,
    body,
    id,
    async (route, query, type, body, id) => {
      const [method = '', path = ''] = route.split(' ')
      // A wait for a task that never ends would be the fake's doing.
      if (/wait/.test(query) || body.includes('wait')) return
      const target = path.replace(':id', encodeURIComponent(id.toWellFormed()))
      const answer = await send(door.port, agent, method, `${target}?${query}`, type, body)
      statuses.add(answer.status)
      expect([200, 202, 400, 404, 415]).toContain(answer.status)
      const bad = answer.status < 400 ? undefined : (JSON.parse(answer.text) as object)
      const error = { code: expect.stringMatching(/^E_/), message: expect.any(String) }
      expect(bad).toBeOneOf([undefined, { error }])
    },
  )
  await assert(property, { numRuns: 3000 })
  // Not all of it was turned away at the door.
  expect([...statuses]).toEqual(expect.arrayContaining([200, 400, 415]))
  expect(door.logged.filter(([, text]) => /unexpectedly/.test(String(text)))).toEqual([])
}, 120_000)

test('junk in path and headers is refused by 4xx or by closing, and the next is served', async () => {
  await using door = await openDoor({ modules: [example] })
  const line = string({ unit: 'binary-ascii', maxLength: 60 })
  const head = oneof(
    line,
    line.map(text => `GET /${text} HTTP/1.1\r\nHost: localhost`),
    line.map(text => `GET /api/thing/${text} HTTP/1.1\r\nHost: localhost`),
    line.map(text => `POST /api/status HTTP/1.1\r\nHost: localhost\r\n${text}`),
    line.map(text => `POST /api/thing/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${text}`),
    line.map(text => `POST /api/thing/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: ${text}`),
    line.map(text => `${text} /healthz HTTP/1.1\r\nHost: localhost`),
    line.map(text => `GET /healthz HTTP/1.1\r\nHost: ${text}`),
    line.map(text => `GET /healthz HTTP/1.1\r\nHost: localhost\r\nsecret: ${text}`),
    constantFrom(
      'GET /%ff%fe HTTP/1.1\r\nHost: localhost',
      'GET /api/thing/%zz HTTP/1.1\r\nHost: localhost',
      'GET /api/../../etc/passwd HTTP/1.1\r\nHost: localhost',
      'GET //evil.example/api/status HTTP/1.1\r\nHost: localhost',
      'GET /\\evil.example HTTP/1.1\r\nHost: localhost',
      'OPTIONS * HTTP/1.1\r\nHost: localhost',
      'TRACE /healthz HTTP/1.1\r\nHost: localhost',
      'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost',
      'PRI * HTTP/2.0',
      'GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade',
      'POST /api/thing/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked',
      'POST /api/thing/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2',
      `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: localhost`,
      `GET / HTTP/1.1\r\nHost: localhost\r\n${'a: b\r\n'.repeat(3000)}`,
    ),
  )
  const property = asyncProperty(head, async text => {
    const socket = await door.raw()
    const answer = whole(socket)
    socket.end(`${text}\r\nConnection: close\r\n\r\n`)
    const [, status = ''] = /^HTTP\/1\.1 (\d+)/.exec(await answer) ?? []
    expect(status).toMatch(/^(?:|200|4\d\d)$/)
  })
  await assert(property, { numRuns: 1500 })
  expect((await door.ask('/healthz')).status).toBe(200)
  expect(door.logged.filter(([, text]) => /unexpectedly/.test(String(text)))).toEqual([])
}, 120_000)

function send(
  port: number,
  agent: Agent,
  method: string,
  path: string,
  type: string,
  body: Buffer,
): Promise<{ readonly status: number; readonly text: string }> {
  const hasBody = method !== 'GET'
  const headers = {
    secret: SECRET,
    ...(type !== '' && { 'content-type': type }),
    ...(hasBody && { 'content-length': String(body.length) }),
  }
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, agent, method, path, headers })
    sent.once('error', reject)
    sent.once('response', response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', part => {
        text += part
      })
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    sent.end(hasBody ? body : undefined)
  })
}
