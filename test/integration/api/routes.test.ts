import { expect, test } from 'vitest'
import type { Control } from '../../../src/api/control.ts'
import { requestUnix } from '../../../src/api/unix-request.ts'
import type { ErrorCode } from '../../../src/lib/error-codes.ts'
import { TaskdError } from '../../../src/lib/errors.ts'
import { failRow, status } from './fake-control.ts'
import { serveFake } from './serve-fake.ts'

const never = new AbortController().signal

const CALLS: [string, (client: Control) => Promise<unknown>, unknown[], unknown][] = [
  ['status', c => c.status(), ['status'], status()],
  [
    'restart by name',
    c => c.change('restart', ['a', 'b c']),
    ['change', 'restart', ['a', 'b c']],
    [
      { name: 'a', ok: true, message: 'restarted' },
      { name: 'b c', ok: true, message: 'restarted' },
    ],
  ],
  [
    'start by name',
    c => c.change('start', ['nobody']),
    ['change', 'start', ['nobody']],
    [{ name: 'nobody', ok: false, message: 'started' }],
  ],
  [
    'stop by name',
    c => c.change('stop', ['a']),
    ['change', 'stop', ['a']],
    [{ name: 'a', ok: true, message: 'stoped' }],
  ],
  ['plan', c => c.plan(), ['plan'], { applied: false, changes: ['job a: added'], problems: [] }],
  [
    'reload',
    c => c.reload(),
    ['reload'],
    { applied: true, changes: ['job a: added'], problems: [] },
  ],
  [
    'shutdown',
    c => c.shutdown({ hurry: true, kill: false, restart: false }),
    ['shutdown', { hurry: true, kill: false, restart: false }],
    undefined,
  ],
  ['drain', c => c.drain(), ['drain'], { running: 2 }],
  [
    'run a job',
    c => c.runJob('夜间/..', { wait: false }, never),
    ['runJob', '夜间/..', { wait: false }],
    { unique_task_id: 'run-夜间/..' },
  ],
  [
    'push a task',
    c =>
      c.push({ task_key: 'q', task: { script: 'a b', param: '字段=1&b[]=2' }, wait: false }, never),
    ['push', { task_key: 'q', task: { script: 'a b', param: '字段=1&b[]=2' }, wait: false }],
    { unique_task_id: 'new' },
  ],
  [
    'the newest fails of a job',
    c => c.fails({ limit: 5, job: 'a&b=c' }),
    ['fails', { limit: 5, job: 'a&b=c' }],
    [failRow()],
  ],
  [
    'fails of a queue',
    c => c.fails({ limit: 1, task_key: 'q' }),
    ['fails', { limit: 1, task_key: 'q' }],
    [failRow()],
  ],
  [
    'retry',
    c => c.retry('../%2e/x?y#z'),
    ['retry', '../%2e/x?y#z'],
    { unique_task_id: '../%2e/x?y#z' },
  ],
  ['cancel', c => c.cancel('t1'), ['cancel', 't1'], { unique_task_id: 't1', was: 'waiting' }],
  [
    'pause',
    c => c.setPaused(['q'], true),
    ['setPaused', ['q'], true],
    [{ name: 'q', paused: true }],
  ],
  [
    'resume',
    c => c.setPaused(['q'], false),
    ['setPaused', ['q'], false],
    [{ name: 'q', paused: false }],
  ],
  ['resume of the whole node', c => c.setPaused([], false), ['setPaused', [], false], []],
  ['scale', c => c.scale('q', 3), ['scale', 'q', 3], { name: 'q', count: 3 }],
]

test.each(CALLS)('%s goes to the daemon and back unchanged', async (_name, call, asked, answer) => {
  await using daemon = await serveFake()
  expect(await call(daemon.client)).toEqual(answer)
  expect(daemon.control.calls).toEqual([asked])
})

test.each<[ErrorCode, number]>([
  ['E_NO_QUEUE', 404],
  ['E_BAD_TASK', 400],
  ['E_FULL', 429],
  ['E_REDIS_AWAY', 503],
  ['E_STOPPING', 503],
  ['E_RELAY', 500],
])('an error %s is answered with status %i and one line', async (code, expected) => {
  const thrown = new TaskdError(code, 'it went wrong', 'do this')
  await using daemon = await serveFake({ drain: () => Promise.reject(thrown) })
  const path = '/api/daemon/drain'
  const answer = await requestUnix({ socket: daemon.socket, method: 'POST', path })
  expect(answer.status).toBe(expected)
  expect(JSON.parse(answer.text)).toEqual({ error: { code, message: 'it went wrong. do this' } })
  await expect(daemon.client.drain()).rejects.toThrow(
    expect.objectContaining({ name: 'TaskdError', code, message: 'it went wrong. do this' }),
  )
})

test('an unexpected error is logged whole and told without its words', async () => {
  const bug = new TypeError('cannot read secret of undefined')
  await using daemon = await serveFake({ status: () => Promise.reject(bug) })
  const answer = await requestUnix({ socket: daemon.socket, method: 'GET', path: '/api/status' })
  expect(answer.status).toBe(500)
  expect(JSON.parse(answer.text)).toEqual({
    error: { code: 'E_INTERNAL', message: expect.stringContaining('unexpected error') },
  })
  expect(answer.text).not.toContain('secret')
  expect(daemon.logged).toEqual([
    [expect.objectContaining({ error: bug.message, stack: bug.stack }), expect.any(String)],
  ])
})

test('what fails unexpectedly while Redis is away is told as that, and is no bug to log', async () => {
  const redis = { ...status().redis, ok: false, error: 'does not answer' }
  await using daemon = await serveFake({
    status: async () => status({ redis }),
    drain: () => Promise.reject(new Error('Command timed out')),
  })
  await expect(daemon.client.drain()).rejects.toThrow(
    expect.objectContaining({
      code: 'E_REDIS_AWAY',
      message: expect.stringContaining('does not answer'),
    }),
  )
  expect(daemon.logged).toEqual([])
})

const BAD: [string, 'GET' | 'POST', string, unknown, number, string][] = [
  ['an unknown route', 'GET', '/api/nothing', undefined, 404, 'E_NO_ROUTE'],
  ['names that are no list', 'POST', '/api/processes/stop', { names: 'a' }, 400, 'E_BAD_REQUEST'],
  ['no names at all', 'POST', '/api/processes/stop', {}, 400, 'E_BAD_REQUEST'],
  ['a pause of nothing', 'POST', '/api/queues/pause', { names: [] }, 400, 'E_BAD_REQUEST'],
  ['half a worker', 'POST', '/api/queues/scale', { name: 'q', count: 0.5 }, 400, 'E_BAD_REQUEST'],
  ['a limit that is no number', 'GET', '/api/fails?limit=many', undefined, 400, 'E_BAD_REQUEST'],
  [
    'a task that is a list',
    'POST',
    '/api/tasks/push',
    { task_key: 'q', task: [] },
    400,
    'E_BAD_REQUEST',
  ],
  [
    'nine megabytes',
    'POST',
    '/api/tasks/push',
    { task_key: 'q', task: { script: 'x'.repeat(9 << 20) } },
    413,
    'E_TOO_LARGE',
  ],
]

test.each(BAD)('%s is refused and asks nothing of the daemon', async (...bad) => {
  const [, method, path, body, expected, code] = bad
  await using daemon = await serveFake()
  const answer = await requestUnix({ socket: daemon.socket, method, path, body })
  expect([answer.status, JSON.parse(answer.text)]).toEqual([
    expected,
    { error: { code, message: expect.any(String) } },
  ])
  expect(daemon.control.calls).toEqual([])
})

test('the message of a bad request names the field', async () => {
  await using daemon = await serveFake()
  const body = { name: '', count: -1 }
  const path = '/api/queues/scale'
  const { text } = await requestUnix({ socket: daemon.socket, method: 'POST', path, body })
  expect(text).toContain('name: ')
  expect(text).toContain('count: ')
})
