import { expect, test } from 'vitest'
import type { Status } from '../../../src/api/status.ts'
import { textWidth } from '../../../src/cli/render.ts'
import { TaskdError } from '../../../src/lib/errors.ts'
import { job, queue, status, worker } from './fake-control.ts'
import { cli } from './run-cli.ts'
import { serveFake } from './serve-fake.ts'

type Child = Status['workers'][number]

async function statusOf(changes: Partial<Status>, ...argv: string[]) {
  await using daemon = await serveFake({ status: async () => status(changes) })
  return await cli(['status', ...argv], { env: { TASKD_SOCKET: daemon.socket } })
}

const sync = (changes: Partial<Child>): Partial<Status> => ({
  workers: [{ ...worker('sync'), ...changes }],
})

test.each<[string, Partial<Status>, number]>([
  ['all is well', {}, 0],
  ['a worker is starting', sync({ state: 'STARTING' }), 0],
  ['a worker is stopping', sync({ state: 'STOPPING' }), 0],
  ['a one-shot has finished', sync({ state: 'EXITED' }), 0],
  ['a worker waits before its next try', sync({ state: 'BACKOFF' }), 3],
  ['a worker is given up', sync({ state: 'FATAL' }), 3],
  ['a worker was stopped', sync({ state: 'STOPPED' }), 3],
  [
    'a program is given up',
    { programs: [{ ...worker('sync'), group: 'x', dropped: 0, state: 'FATAL' }] },
    3,
  ],
  ['Redis is away', { redis: { ...status().redis, ok: false, error: 'ECONNREFUSED' } }, 3],
  ['the database is away', { database: { ...status().database, ok: false } }, 3],
  ['a queue is paused', { queues: [{ ...queue('sync_tasks'), paused: true }] }, 0],
  ['the last run of a job failed', { jobs: [{ ...job('a'), last_code: 'fail', failures: 1 }] }, 0],
])('when %s, status says so with its exit code', async (_what, changes, code) => {
  expect((await statusOf(changes)).code).toBe(code)
  expect((await statusOf(changes, '--json')).code).toBe(code)
})

test('channels and relays have a line each, and what is away says since when', async () => {
  const since = '2026-11-21T10:00:00.000+00:00'
  const far = { error: '', since, ok: true }
  const channel = { ...far, name: 'orders', table: 'o', database: 'sqlite:x', backlog: 2 }
  const { stdout } = await statusOf({
    channels: [{ ...channel, backlog_bytes: 9, bad: 1, inserted: 3 }],
    relays: [
      {
        ...far,
        ok: false,
        error: 'refused',
        name: 'far',
        redis: 'x',
        list: 'l',
        backlog: 0,
        leased: 0,
      },
    ],
  })
  expect(stdout).toMatch(/^orders +OPEN +channel into o, backlog of 2 on disk, 1 bad$/m)
  expect(stdout).toMatch(/^far +AWAY +relay, since .*: refused$/m)
})

test('a table queue has a line that says what it waits for', async () => {
  const since = '2026-11-21T10:00:00.000+00:00'
  const counts = { open: 3, backlog: 1, taken: 9, bad: 0, written: 5 }
  const well = { table: 'p', database: 'x', task_key: 'q', ok: true, error: '', since, ...counts }
  const { stdout } = await statusOf({
    sources: [
      { ...well, name: 'sms', full: true },
      { ...well, name: 'far', full: false, ok: false, error: 'no table', open: 0, backlog: 0 },
    ],
  })
  const waits = 'rows of p to q, 3 taken, 1 result to be written,\\s+its queue is full'
  expect(stdout).toMatch(new RegExp(`^sms +FULL +${waits}$`, 'm'))
  expect(stdout).toMatch(/^far +AWAY +rows of p to q, since .*: no table$/m)
})

test('what is not taken in yet is shown, and a key that is no list', async () => {
  const { stdout } = await statusOf({
    queues: [
      { ...queue('none'), listed: 0 },
      { ...queue('full'), waiting: 5, listed: 7 },
      { ...queue('text'), listed: null },
    ],
  })
  expect(stdout).toMatch(/^none +OPEN +sync queue, 0 waiting$/m)
  expect(stdout).toMatch(/^full +OPEN +sync queue, 5 waiting, 7 in the list$/m)
  expect(stdout).toMatch(/^text +OPEN +sync queue, 0 waiting, its key is no list$/m)
})

test('a daemon of before, which says less, is shown all the same', async () => {
  const later = ['sql_jobs', 'channels', 'relays', 'notices', 'sources', 'listed']
  const text = JSON.stringify(status(), (key, value) => (later.includes(key) ? undefined : value))
  const answer = JSON.parse(text) as Status
  await using daemon = await serveFake({ status: async () => answer })
  const options = { env: { TASKD_SOCKET: daemon.socket } }
  const { code, stdout, stderr } = await cli(['status'], options)
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^async_tasks +OPEN +async queue, 12 waiting$/m)
  const json = JSON.parse((await cli(['status', '--json'], options)).stdout) as Status
  expect(json).toMatchObject({ ...answer, channels: [], relays: [], notices: [], sources: [] })
})

test('a line for each part has the name first, the state second', async () => {
  const { stdout } = await statusOf({})
  expect(stdout.split('\n').map(line => line.split(/\s+/).slice(0, 2))).toEqual([
    ['web-1-sync_tasks-1', 'RUNNING'],
    ['web-1-async_tasks-1', 'RUNNING'],
    ['sync_tasks', 'OPEN'],
    ['async_tasks', 'OPEN'],
    ['accumulate_pay', 'SCHEDULED'],
    [''],
  ])
  expect(stdout).toMatch(/^web-1-sync_tasks-1 +RUNNING +pid 4711, uptime 0:01:02$/m)
})

test('only what was named counts and is shown', async () => {
  const changes = { workers: [worker('sync'), { ...worker('async'), state: 'FATAL' as const }] }
  const { code, stdout } = await statusOf(changes, 'sync_tasks', 'accumulate_pay')
  expect(code).toBe(0)
  expect(stdout.split('\n').map(line => line.split(' ', 1)[0])).toEqual([
    'web-1-sync_tasks-1',
    'sync_tasks',
    'accumulate_pay',
    '',
  ])
  expect((await statusOf(changes, 'async_tasks')).code).toBe(3)
  expect((await statusOf(changes, 'web-1-async_tasks-1')).code).toBe(3)
})

test('an unknown name is 4 with a guess, and the others are still shown', async () => {
  const { code, stdout, stderr } = await statusOf({}, 'acumulate_pay', 'sync_tasks')
  expect(code).toBe(4)
  expect(stdout).toContain('web-1-sync_tasks-1')
  expect(stderr).toBe('taskd: no such name: acumulate_pay. did you mean accumulate_pay?\n')
})

test('no daemon is 4 with one line', async () => {
  const { code, stdout, stderr } = await cli(['status'], {
    env: { TASKD_SOCKET: '/nowhere/x.sock' },
  })
  expect([code, stdout]).toEqual([4, ''])
  expect(stderr).toMatch(/^taskd: [^\n]+\n$/)
})

test('a daemon that has an error is 4 with what it said', async () => {
  const thrown = new TaskdError('E_REDIS_AWAY', 'Redis is away')
  await using daemon = await serveFake({ status: () => Promise.reject(thrown) })
  const result = await cli(['status'], { env: { TASKD_SOCKET: daemon.socket } })
  expect(result).toEqual({ code: 4, stdout: '', stderr: 'taskd: Redis is away\n' })
})

test('--json prints exactly what the daemon says', async () => {
  const { stdout } = await statusOf({}, '--json')
  expect(JSON.parse(stdout)).toEqual(status())
})

test('what is wrong with the whole comes first, in words', async () => {
  const { stdout } = await statusOf({
    state: 'draining',
    redis: { ...status().redis, ok: false, error: 'connect ECONNREFUSED' },
    database: { ...status().database, ok: false, error: 'no route', backlog: 1 },
  })
  const [first, second, third] = stdout.split(/\n(?! )/)
  expect(first).toMatch(/^taskd +DRAINING +pid 4242/)
  expect(second).toMatch(/^redis +AWAY +since .*ECONNREFUSED/s)
  expect(third).toMatch(/^database +AWAY +since .*no route; 1\s+failed run/s)
})

test('while Redis is away no count is made up', async () => {
  const none = { listed: null, waiting: null, delayed: null, active: null, bad: null, paused: null }
  const node = { name: 'web-2', self: false, state: 'unknown' as const, since: null }
  const { stdout } = await statusOf({
    redis: { ...status().redis, ok: false, answers: false },
    queues: [{ ...queue('sync_tasks'), ...none, unknown: true }],
    nodes: [node],
  })
  expect(stdout).toMatch(/^sync_tasks +UNKNOWN /m)
  expect(stdout).toMatch(/^node web-2 +UNKNOWN +not known while Redis is away$/m)
  expect(stdout).not.toMatch(/\d waiting/)
})

test('a daemon that still starts does not say that a job never runs', async () => {
  const { stdout } = await statusOf({ state: 'starting', jobs: [{ ...job('a'), next: null }] })
  expect(stdout).toMatch(/^a +UNKNOWN /m)
})

test('no line is wider than 80 columns, whatever names there are', async () => {
  const name = 'a-host-with-a-rather-long-name-async_tasks-1'
  const long = 'exit code 1, and many more words about what it was that went wrong in there'
  const { stdout } = await statusOf({
    workers: [
      { ...worker('async'), name, state: 'BACKOFF', detail: long },
      { ...worker('sync'), name: `${name}${name}`.slice(0, 66), detail: long },
    ],
    jobs: [
      job('每晚对账和积分累计任务'),
      { ...job('b'), held: 'paused after 3 failures in a row' },
    ],
  })
  expect(stdout.split('\n').filter(line => textWidth(line) > 80)).toEqual([])
  expect(stdout.replace(/\s+/g, ' ')).toContain(long)
})

test('control characters in a name reach no terminal', async () => {
  const { stdout } = await statusOf({ jobs: [job('a\u001B[2Jb')] })
  expect(stdout).toContain('a\\u001b[2Jb')
})

test('colours are for terminals, and not under NO_COLOR', async () => {
  await using daemon = await serveFake()
  const env = { TASKD_SOCKET: daemon.socket }
  const escape = '\u001B['
  expect((await cli(['status'], { env, columns: 80 })).stdout).toContain(escape)
  expect((await cli(['status'], { env })).stdout).not.toContain(escape)
  const plain = { ...env, NO_COLOR: '1' }
  expect((await cli(['status'], { env: plain, columns: 80 })).stdout).not.toContain(escape)
})
