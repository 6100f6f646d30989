import { expect, test } from 'vitest'
import type { Right } from '../../../src/api/auth.ts'
import { brokerRoutes } from '../../../src/api/routes/broker.ts'
import { codeOf, type OpenDoor, openDoor } from './open-door.ts'

const SECRETS = { all: 'for-all', read: 'for-read', push: 'for-push', pull: 'for-pull' }

/** Every route with a request that it takes, and who may ask. */
const ROUTES: readonly (readonly [route: string, access: Right | 'open', body?: object])[] = [
  ['GET /healthz', 'open'],
  ['GET /readyz', 'open'],
  ['GET /openapi.json', 'open'],
  ['GET /docs', 'open'],
  ['GET /metrics', 'read'],
  ['GET /api/status', 'read'],
  ['GET /api/config/plan', 'read'],
  ['GET /api/fails', 'read'],
  ['GET /api/runs', 'read'],
  ['GET /api/tail?name=a', 'read'],
  ['GET /api/why?name=a', 'read'],
  ['GET /api/sql-jobs', 'read'],
  ['GET /api/sql-jobs/history', 'read'],
  [
    'POST /api/sql-jobs/add',
    'admin',
    { task_key: 'a', execute_func: 'f', trigger: 'cron', spec: '* * * * *' },
  ],
  ['POST /api/sql-jobs/change', 'admin', { task_key: 'a', is_valid: false }],
  ['GET /api/jobs/cursor?name=a', 'read'],
  ['POST /api/jobs/cursor', 'admin', { job: 'a', to: '2026-11-01', dry_run: true }],
  ['POST /api/jobs/backfill', 'admin', { job: 'a', from: '2026-11-01' }],
  ['POST /api/tasks/push', 'push', { task_key: 'q', task: { script: 'x' } }],
  ['POST /api/tasks/run', 'run', { job: 'a' }],
  ['POST /api/tasks/retry', 'run', { unique_task_id: 'a' }],
  ['POST /api/tasks/cancel', 'admin', { unique_task_id: 'a' }],
  ['POST /api/processes/start', 'admin', { names: ['a'] }],
  ['POST /api/processes/stop', 'admin', { names: ['a'] }],
  ['POST /api/processes/restart', 'admin', { names: ['a'] }],
  ['POST /api/processes/signal', 'admin', { names: ['a'], signal: 'SIGHUP' }],
  ['POST /api/queues/pause', 'admin', { names: ['a'] }],
  ['POST /api/queues/resume', 'admin', { names: [] }],
  ['POST /api/queues/scale', 'admin', { name: 'a', count: 1 }],
  ['POST /api/config/reload', 'admin', {}],
  ['POST /api/notify/test', 'admin', { name: 'a' }],
  ['POST /api/daemon/drain', 'admin', {}],
  ['POST /api/daemon/shutdown', 'admin', {}],
]

function send(door: OpenDoor, route: string, body: object | undefined, headers = {}) {
  const [method = '', path = ''] = route.split(' ')
  const type = { 'content-type': 'application/json' }
  if (body === undefined) return door.ask(path, { method, headers })
  return door.ask(path, { method, headers: { ...type, ...headers }, body: JSON.stringify(body) })
}

test('the table has every route that there is', async () => {
  await using door = await openDoor()
  const served = door.app.routes
    .filter(route => route.method !== 'ALL')
    .map(route => `${route.method} ${route.path}`)
  const listed = ROUTES.map(([route]) => route.replace(/\?.*/, ''))
  expect([...new Set(served)].toSorted()).toEqual(listed.toSorted())
})

test.each(ROUTES.map(([route, access, body]) => ({ route, access, body })))(
  '$route is for $access',
  async ({ route, access, body }) => {
    await using door = await openDoor({ secrets: SECRETS })
    const opens: Readonly<Record<string, readonly string[]>> = {
      open: ['', 'for-read', 'for-push', 'for-pull', 'for-all', 'wrong'],
      read: ['for-read', 'for-all'],
      push: ['for-push', 'for-all'],
      run: ['for-push', 'for-all'],
      pull: ['for-pull', 'for-all'],
      admin: ['for-all'],
    }
    for (const secret of ['', 'wrong', 'for-read', 'for-push', 'for-pull', 'for-all']) {
      const headers = secret === '' ? {} : { secret }
      const { status } = await send(door, route, body, headers)
      const may = opens[access]?.includes(secret)
      const wrong = secret === '' || secret === 'wrong'
      const expected = may ? [200, 202] : [wrong ? 401 : 403]
      expect({ secret, status }).toEqual({ secret, status: expect.toBeOneOf(expected) })
    }
  },
)

test('what is refused asks nothing of the daemon', async () => {
  await using door = await openDoor({ secrets: SECRETS })
  for (const [route, access, body] of ROUTES)
    if (access !== 'open') await send(door, route, body, { secret: 'wrong' })
  expect(door.control.calls).toEqual([])
})

test('without any secret this machine may look, push and pull, and nothing that acts', async () => {
  await using door = await openDoor()
  const open = ['open', 'read', 'push', 'pull']
  for (const [route, access, body] of ROUTES) {
    const { status } = await send(door, route, body)
    const expected = open.includes(access) ? [200, 202] : [403]
    expect([route, status]).toEqual([route, expect.toBeOneOf(expected)])
  }
  const { text } = await send(door, 'POST /api/queues/pause', { names: ['a'] })
  expect(text).toContain('use the command line on this machine, or set secret in [taskd]')
  const asked = door.control.calls.map(([name]) => name)
  expect(asked).not.toContain('setPaused')
})

test('only the scope admin may name any script', async () => {
  await using door = await openDoor({ secrets: SECRETS })
  await using open = await openDoor()
  const push = ['POST /api/tasks/push', { task_key: 'q', task: { script: 'x' } }] as const
  const retry = ['POST /api/tasks/retry', { unique_task_id: 'a' }] as const
  for (const one of [push, retry])
    for (const secret of ['for-push', 'for-all']) await send(door, one[0], one[1], { secret })
  await send(open, push[0], push[1])
  const last = (one: OpenDoor) => one.control.calls.map(call => call.at(-1))
  const any = { ...push[1], wait: false }
  expect(last(door)).toEqual(['allowed', any, 'allowed', 'a'])
  expect(last(open)).toEqual(['allowed'])
})

test('both headers carry the secret, and an answer without says how', async () => {
  await using door = await openDoor({ secrets: { all: 'größe' } })
  const wire = Buffer.from('größe').toString('latin1')
  const path = '/api/status'
  expect((await door.ask(path, { headers: { secret: wire } })).status).toBe(200)
  expect((await door.ask(path, { headers: { authorization: `Bearer ${wire}` } })).status).toBe(200)
  const refused = await door.ask(path)
  expect(refused.headers['www-authenticate']).toBe('Bearer realm="taskd"')
  expect(refused.json()).toEqual({
    error: { code: 'E_SECRET', message: expect.stringContaining('Authorization: Bearer') },
  })
})

test('a route that is not there says so only to those who have a secret', async () => {
  await using door = await openDoor({ secrets: SECRETS })
  const ask = (secret: string) => door.ask('/api/nothing', { headers: { secret } })
  expect((await ask('wrong')).status).toBe(401)
  expect(codeOf(await ask('for-pull'))).toBe('E_NO_ROUTE')
})

test('a route that takes another method says which', async () => {
  await using door = await openDoor()
  const answer = await door.ask('/api/queues/pause')
  expect([answer.status, answer.headers['allow'], codeOf(answer)]).toEqual([
    405,
    'POST',
    'E_NO_METHOD',
  ])
  expect((await door.ask('/healthz', { method: 'OPTIONS' })).status).toBe(405)
  expect((await door.ask('/healthz', { method: 'HEAD' })).status).toBe(200)
})

test('a path with a name of its own is not taken for a parameter', async () => {
  const port = {} as Parameters<typeof brokerRoutes>[0]
  await using door = await openDoor({ modules: [brokerRoutes(port)] })
  const allowed = async (path: string) => (await door.ask(path)).headers['allow']
  expect(await allowed('/api/task/script')).toBe('POST')
  expect(await allowed('/api/task/rpc')).toBe('POST')
  expect(await allowed('/api/task/019f6c2e')).toBe('DELETE')
})

test('a route that slipped past the frame is for admins', async () => {
  await using door = await openDoor({
    secrets: SECRETS,
    modules: [
      routes => {
        const { app } = routes as unknown as { app: OpenDoor['app'] }
        app.get('/api/forgotten', c => c.text('hello'))
      },
    ],
  })
  const ask = async (secret: string) =>
    (await door.ask('/api/forgotten', { headers: { secret } })).status
  expect(await ask('')).toBe(401)
  expect(await ask('for-push')).toBe(403)
  expect(await ask('for-read')).toBe(403)
  expect(await ask('for-all')).toBe(200)
})

test('parameters of the control routes may come as form or query, too', async () => {
  await using door = await openDoor({ secrets: SECRETS })
  const secret = SECRETS.all
  const form = { 'content-type': 'application/x-www-form-urlencoded', secret }
  await door.ask('/api/queues/scale?name=q', { method: 'POST', headers: form, body: 'count=3' })
  const bare = { method: 'POST', headers: { secret } }
  await door.ask('/api/queues/pause?names=q', bare)
  await door.ask('/api/tasks/run?job=a&wait=false', bare)
  expect(door.control.calls).toEqual([
    ['scale', 'q', 3],
    ['setPaused', ['q'], true],
    ['runJob', 'a', { wait: false }],
  ])
})

test('a slash too many at the end: no such route, and how it is written', async () => {
  await using door = await openDoor()
  for (const [path, hint] of [
    ['/healthz/', 'leave out the slash at its end'],
    ['/healthz//', '/docs shows them all'],
    ['/', '/docs shows them all'],
  ] as const) {
    const answer = await door.ask(path)
    expect([answer.status, answer.json()['error']]).toEqual([
      404,
      { code: 'E_NO_ROUTE', message: `no such route. ${hint}` },
    ])
  }
})
