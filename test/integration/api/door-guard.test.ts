import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { TaskdError } from '../../../src/lib/errors.ts'
import { status } from './fake-control.ts'
import { codeOf, openDoor, whole } from './open-door.ts'

const json = { 'content-type': 'application/json' }
const pause = { method: 'POST', body: '{"names":["q"]}' }

test('a foreign name for this machine is refused, whatever is asked for', async () => {
  await using door = await openDoor()
  for (const path of ['/healthz', '/docs', '/api/status', '/nothing']) {
    const answer = await door.ask(path, { headers: { host: `evil.example:${door.port}` } })
    expect([answer.status, codeOf(answer)]).toEqual([403, 'E_HOST'])
  }
  expect((await door.ask('/healthz', { headers: { host: `LOCALHOST:${door.port}` } })).status).toBe(
    200,
  )
  expect(door.control.calls).toEqual([])
})

test.each([
  [
    'a whole URL with a foreign host',
    'GET http://evil.example/api/status HTTP/1.1\r\nHost: localhost\r\n',
  ],
  ['a whole URL, as to a proxy', 'GET http://localhost/api/status HTTP/1.1\r\nHost: localhost\r\n'],
  ['two hosts', 'GET /api/status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n'],
  ['no host', 'GET /api/status HTTP/1.1\r\n'],
  ['no host in HTTP/1.0', 'GET /api/status HTTP/1.0\r\n'],
  ['an empty host', 'GET /api/status HTTP/1.1\r\nHost:\r\n'],
  ['a host that is none', 'GET /api/status HTTP/1.1\r\nHost: loc/../alhost\r\n'],
])('%s is refused', async (_what, head) => {
  await using door = await openDoor()
  const socket = await door.raw()
  socket.write(`${head}Connection: close\r\n\r\n`)
  const answer = await whole(socket)
  expect(answer).toMatch(/^HTTP\/1\.1 40[03] /)
  expect(answer).toMatch(/\{"error":\{"code":"E_(HOST|BAD_REQUEST)"/)
  expect(door.control.calls).toEqual([])
})

test('a page of another site cannot make a browser do anything', async () => {
  await using door = await openDoor({ secrets: { all: 'hush' } })
  for (const headers of [
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:1' },
    { 'sec-fetch-site': 'cross-site' },
  ]) {
    const answer = await door.ask('/api/queues/pause', {
      ...pause,
      headers: { ...json, ...headers },
    })
    expect([answer.status, codeOf(answer)]).toEqual([403, 'E_ORIGIN'])
  }
  // What a form can send without being asked first.
  const type = 'application/x-www-form-urlencoded'
  const headers = { 'content-type': type, origin: 'http://evil.example' }
  const form = { method: 'POST', body: 'names=q', headers }
  expect((await door.ask('/api/queues/pause', form)).status).toBe(403)
  expect(door.control.calls).toEqual([])
  const own = { ...json, secret: 'hush', origin: `http://127.0.0.1:${door.port}` }
  expect((await door.ask('/api/queues/pause', { ...pause, headers: own })).status).toBe(200)
})

test('a GET that does something is guarded like a POST', async () => {
  await using door = await openDoor({
    modules: [
      routes =>
        routes.add({
          access: 'pull',
          method: 'get',
          path: '/claim',
          tag: 'x',
          summary: 'x',
          params: z.object({}),
          answers: { 200: { description: 'x' } },
          handle: (_params, c) => c.json({}),
        }),
    ],
  })
  expect((await door.ask('/claim', { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(
    403,
  )
  expect((await door.ask('/claim')).status).toBe(200)
  // What is taken for the asker would be lost with an answer that is a head alone.
  const head = await door.ask('/claim', { method: 'HEAD' })
  expect([head.status, head.headers['allow']]).toEqual([405, 'GET'])
})

test('no answer has a CORS header, and each has those that keep browsers away', async () => {
  await using door = await openDoor({ secrets: { all: 'hush' } })
  const origin = { origin: 'http://evil.example' }
  const asks = [
    door.ask('/healthz', { headers: origin }),
    door.ask('/api/status', { headers: origin }),
    door.ask('/api/status', { headers: { ...origin, secret: 'hush' } }),
    door.ask('/api/queues/pause', {
      method: 'OPTIONS',
      headers: { ...origin, 'access-control-request-method': 'POST' },
    }),
    door.ask('/nothing', { headers: { secret: 'hush' } }),
  ]
  for (const { headers } of await Promise.all(asks)) {
    expect(Object.keys(headers).filter(name => name.startsWith('access-control'))).toEqual([])
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
    })
  }
})

test('without a secret nobody but this machine is served, wherever it listens', async () => {
  await using door = await openDoor({ host: '0.0.0.0' })
  const from = async (remoteAddress: string, path: string) => {
    const incoming = { url: path, socket: { remoteAddress } } as unknown as IncomingMessage
    const request = new Request(`http://tasks.example${path}`, { headers: { host: 'x' } })
    return (await door.app.fetch(request, { incoming })).status
  }
  expect(await from('192.0.2.7', '/api/status')).toBe(401)
  expect(await from('::ffff:192.0.2.7', '/api/status')).toBe(401)
  expect(await from('', '/api/status')).toBe(401)
  expect(await from('192.0.2.7', '/healthz')).toBe(200)
  expect(door.control.calls).toEqual([])
  expect(await from('::ffff:127.0.0.1', '/api/status')).toBe(200)
})

test('an address that asks too much is told when to come back', async () => {
  await using door = await openDoor({ rate: { max: 3, durationMs: 60_000 } })
  const answers = []
  for (let n = 0; n < 4; n += 1) answers.push(await door.ask('/healthz'))
  expect(answers.map(one => one.status)).toEqual([200, 200, 200, 429])
  expect([codeOf(answers[3]!), answers[3]?.headers['retry-after']]).toEqual(['E_RATE', '20'])
})

test('wrong secrets use the rate up twenty times as fast', async () => {
  const rate = { max: 200, durationMs: 3_600_000 }
  await using door = await openDoor({ rate, secrets: { all: 'hush' } })
  const statuses = []
  for (let n = 0; n < 20; n += 1)
    statuses.push((await door.ask('/api/status', { headers: { secret: `guess-${n}` } })).status)
  // Each guess costs itself and a twentieth of all.
  expect(statuses.filter(one => one === 401)).toHaveLength(19)
  expect((await door.ask('/api/status', { headers: { secret: 'hush' } })).status).toBe(429)
})

test('no secret, no id and no parameter gets into a line of the log', async () => {
  const canary = 'CANARY-7c9'
  const thrown = () => Promise.reject(new TaskdError('E_NO_TASK', 'no such task'))
  const bug = () => Promise.reject(new TypeError('x is not a function'))
  await using door = await openDoor({
    secrets: { all: canary },
    answers: { push: bug, retry: thrown },
    modules: [
      routes =>
        routes.add({
          access: 'push',
          method: 'post',
          path: '/api/thing/{id}',
          tag: 'x',
          summary: 'x',
          params: z.object({ id: z.string() }),
          answers: { 200: { description: 'x' } },
          handle: () => bug(),
        }),
    ],
  })
  const headers = { ...json, secret: canary }
  const body = JSON.stringify({ task_key: canary, task: { param: canary }, unique_task_id: canary })
  const post = { method: 'POST', headers, body }
  expect((await door.ask(`/api/tasks/push?x=${canary}`, post)).status).toBe(500)
  expect((await door.ask('/api/tasks/retry', post)).status).toBe(404)
  expect((await door.ask(`/api/thing/${canary}?secret=${canary}`, post)).status).toBe(500)
  await door.ask(`/${canary}?${canary}`, { headers })
  await door.ask('/api/status', { headers: { secret: `${canary}x` } })
  await door.ask('/api/status', { headers: { authorization: `Basic ${canary}` } })
  await door.ask('/api/tasks/push', { ...post, body: `{"${canary}` })
  await door.ask('/api/status', { headers: { host: canary } })
  const raw = await door.raw()
  raw.write(`${canary} / ${canary}\r\n\r\n`)
  await whole(raw)
  const lines = JSON.stringify(door.logged)
  expect(lines).not.toContain('CANARY')
  expect(door.logged.map(([fields]) => (fields as { route?: string }).route)).toEqual(
    expect.arrayContaining(['POST /api/tasks/push', 'POST /api/thing/:id', 'unknown']),
  )
})

test('Redis away is 503 with its reason, wherever it is noticed', async () => {
  const redis = { ...status().redis, ok: false, error: 'does not answer within a second' }
  await using door = await openDoor({
    secrets: { all: 'hush' },
    answers: {
      status: async () => status({ redis }),
      drain: () => Promise.reject(new Error('Command timed out')),
    },
  })
  const answer = await door.ask('/api/daemon/drain', {
    method: 'POST',
    headers: { secret: 'hush' },
  })
  expect([answer.status, codeOf(answer)]).toEqual([503, 'E_REDIS_AWAY'])
})

test('readyz says in short words what is wrong, and healthz stays well', async () => {
  let wrong: string[] = ['Redis is away', 'taskd is starting']
  await using door = await openDoor({ notReady: () => wrong, secrets: { all: 'hush' } })
  const away = await door.ask('/readyz')
  expect([away.status, away.json()]).toEqual([503, { ready: false, reasons: wrong }])
  expect((await door.ask('/healthz')).status).toBe(200)
  wrong = []
  expect((await door.ask('/readyz')).status).toBe(200)
  expect(door.control.calls).toEqual([])
})
