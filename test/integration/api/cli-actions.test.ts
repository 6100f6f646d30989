import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Control } from '../../../src/api/control.ts'
import type { ErrorCode } from '../../../src/lib/error-codes.ts'
import { TaskdError } from '../../../src/lib/errors.ts'
import { failRow } from './fake-control.ts'
import { cli } from './run-cli.ts'
import { serveFake } from './serve-fake.ts'

async function against(answers: Partial<Control>, ...argv: string[]) {
  await using daemon = await serveFake(answers)
  const env = { TASKD_SOCKET: daemon.socket }
  const result = await cli(argv, { env, cwd: daemon.dir })
  return { ...result, calls: daemon.control.calls }
}

const PROBLEM = {
  file: '/etc/taskd/cron.ini',
  line: 3,
  key: 'run_time',
  value: '61 * * * *',
  message: '61 in the minute field is out of range',
  hint: 'write 0-59',
}

test.each<[string, string[], unknown[], number, string]>([
  ['restart a', ['restart', 'a'], ['change', 'restart', ['a']], 0, 'a: restarted\n'],
  ['stop a b', ['stop', 'a', 'b'], ['change', 'stop', ['a', 'b']], 0, 'a: stoped\nb: stoped\n'],
  ['start nobody', ['start', 'nobody'], ['change', 'start', ['nobody']], 1, ''],
  ['plan', ['plan'], ['plan'], 0, 'job a: added\n1 change to apply with taskd reload\n'],
  ['reload', ['reload'], ['reload'], 0, 'job a: added\n1 change applied\n'],
  ['pause q', ['pause', 'q'], ['setPaused', ['q'], true], 0, 'q: paused\n'],
  ['resume q', ['resume', 'q'], ['setPaused', ['q'], false], 0, 'q: resumed\n'],
  ['resume', ['resume'], ['setPaused', [], false], 0, 'this node takes tasks\n'],
  ['scale q 1', ['scale', 'q', '1'], ['scale', 'q', 1], 0, 'q: 1 process until the next reload\n'],
  [
    'signal HUP a',
    ['signal', 'HUP', 'a'],
    ['signal', 'SIGHUP', ['a']],
    0,
    'a: signalled with SIGHUP\n',
  ],
  ['run a', ['run', 'a'], ['runJob', 'a', { wait: false }], 0, 'run-a\n'],
  ['cancel t', ['cancel', 't'], ['cancel', 't'], 0, 't: taken back before it ran\n'],
  ['retry t', ['retry', 't'], ['retry', 't'], 0, 't: back on its queue\n'],
  [
    'drain',
    ['drain'],
    ['drain'],
    0,
    'this node takes no new task; 2 tasks still run. taskd resume ends the drain\n',
  ],
])('taskd %s asks the daemon and says what came of it', async (_name, argv, call, code, text) => {
  const { calls, ...result } = await against({}, ...argv)
  expect(calls).toEqual([call])
  expect([result.code, result.stdout]).toEqual([code, text])
})

test.each<[string[], unknown]>([
  [['start', 'nobody'], [{ name: 'nobody', ok: false, message: 'started' }]],
  [['plan'], { applied: false, changes: ['job a: added'], problems: [] }],
  [['reload'], { applied: true, changes: ['job a: added'], problems: [] }],
  [['pause', 'q'], [{ name: 'q', paused: true }]],
  [['scale', 'q', '2'], { name: 'q', count: 2 }],
  [['run', 'a'], { unique_task_id: 'run-a' }],
  [['drain'], { running: 2 }],
  [['fails'], [failRow()]],
  [['retry', 't'], [{ unique_task_id: 't' }]],
  [
    ['cancel', 't', 'gone'],
    [
      { unique_task_id: 't', was: 'waiting' },
      { unique_task_id: 'gone', error: { code: 'E_NO_TASK', message: expect.any(String) } },
    ],
  ],
])('taskd %j --json answers on one line of JSON', async (argv, expected) => {
  const { stdout } = await against({}, ...argv, '--json')
  expect(stdout.endsWith('\n') && stdout.split('\n').length).toBe(2)
  expect(JSON.parse(stdout)).toEqual(expected)
})

test('one unknown id does not keep the others from being cancelled', async () => {
  const { code, stdout, stderr } = await against({}, 'cancel', 'a', 'gone', 'b')
  expect(code).toBe(1)
  expect(stdout).toBe('a: taken back before it ran\nb: taken back before it ran\n')
  expect(stderr).toBe('taskd: no such task: gone. look at fails\n')
})

test.each(['plan', 'reload'] as const)('%s with mistakes shows them and is 2', async verb => {
  const report = { applied: false, changes: [], problems: [PROBLEM] }
  const { code, stdout, stderr } = await against({ [verb]: async () => report }, verb)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toContain(
    '/etc/taskd/cron.ini:3: run_time = 61 * * * *: 61 in the minute field is out of range. write 0-59\n',
  )
})

test('a push is sent as the message of the list', async () => {
  const argv = ['push', 'q', '--script', 'x y.php', '--controller', 'c', '--function', 'f']
  const more = ['--param=-字段[]=1&b=2', '--id', 'T1', '--priority', '2', '--max-run-time', '1m30s']
  const { calls, stdout } = await against({}, ...argv, ...more, '--retry', '10 60')
  expect(stdout).toBe('T1\n')
  const task = {
    unique_task_id: 'T1',
    script: 'x y.php',
    controller: 'c',
    function: 'f',
    param: '-字段[]=1&b=2',
    priority: 2,
    max_run_time: 90,
    time_interval: '10 60',
  }
  expect(calls).toEqual([['push', { task_key: 'q', task, wait: false }]])
})

test('a delay becomes a start time, and a task without an id gets one', async () => {
  const before = Date.now()
  const { calls, stdout } = await against({}, 'push', 'q', '--script', 'x', '--delay', '1h')
  const [[, request] = []] = calls as [string, { task: Record<string, unknown> }][]
  expect(stdout.trim()).toBe(request?.task['unique_task_id'])
  expect(stdout).toMatch(/^[0-9a-f-]{36}\n$/)
  const startMs = Number(request?.task['start_time']) * 1000
  expect(startMs).toBeGreaterThanOrEqual(before + 3_600_000)
  expect(startMs).toBeLessThanOrEqual(Date.now() + 3_600_000)
})

test('a script that lies here is named by its whole path', async () => {
  await using daemon = await serveFake()
  writeFileSync(join(daemon.dir, 'here.sh'), '')
  const env = { TASKD_SOCKET: daemon.socket }
  await cli(['push', 'q', '--script', './here.sh'], { env, cwd: daemon.dir })
  expect(daemon.control.calls[0]?.[1]).toMatchObject({
    task: { script: join(daemon.dir, 'here.sh') },
  })
})

test.each([
  [{ code: 'succ', msg: 'done\nall', data: [] }, 0, 'succ: done\nall\n'],
  [{ code: 'succ', msg: '', data: { n: 1 } }, 0, 'succ\n{"n":1}\n'],
  [{ code: 'fail', msg: 'no points', data: [] }, 1, 'fail: no points\n'],
  [{ code: 'later', msg: 'not yet', data: null }, 1, 'later: not yet\n'],
])('the answer %j of a wait decides the exit code', async (answer, code, text) => {
  const argv = ['push', 'q', '--script', 'x', '--wait']
  const pushed = await against({ push: async () => answer }, ...argv)
  expect([pushed.code, pushed.stdout]).toEqual([code, text])
  const ran = await against({ runJob: async () => answer }, 'run', 'a', '--wait', '--json')
  expect([ran.code, JSON.parse(ran.stdout)]).toEqual([code, answer])
})

test.each<[string, Partial<Control>, string[], number]>([
  ['a task that the daemon refuses', {}, ['push', 'q', '--script', ''], 0],
  ['a queue that is full', { push: refuse('E_FULL') }, ['push', 'q', '--script', 'x'], 1],
  ['a bad task', { push: refuse('E_BAD_TASK') }, ['push', 'q', '--script', 'x'], 2],
  ['an unknown job', { runJob: refuse('E_NO_JOB') }, ['run', 'x'], 4],
  ['Redis away', { fails: refuse('E_REDIS_AWAY') }, ['fails'], 1],
  ['no number of workers', {}, ['scale', 'q', 'many'], 2],
  ['a limit of nothing', {}, ['fails', '--limit', '0'], 2],
  ['a delay without a unit that exists', {}, ['push', 'q', '--script', 'x', '--delay', '3w'], 2],
  ['a priority of ten', {}, ['push', 'q', '--script', 'x', '--priority', '10'], 2],
  ['a push without a script', {}, ['push', 'q'], 2],
  ['-n with names', {}, ['start', '-n', 'a'], 2],
  ['--now with names', {}, ['stop', '--now', 'a'], 2],
  ['a verb that does not exist', {}, ['statsu'], 2],
  ['an option that does not exist', {}, ['status', '--jsno'], 2],
  ['an argument too many', {}, ['scale', 'a', '1', '2'], 2],
])('%s has its exit code and one line', async (_what, answers, argv, code) => {
  const result = await against(answers, ...argv)
  expect(result.code).toBe(code)
  expect(result.stderr).toMatch(code === 0 ? /^$/ : /^taskd: [^\n]+\n$/)
})

test('fails shows what, when, why, the id and the first line of what was said', async () => {
  const other = failRow({
    job: '',
    kind: 'answer',
    code: 'no_points',
    attempt: 2,
    msg: 'x\u001B[0m',
  })
  const { code, stdout } = await against({ fails: async () => [failRow(), other] }, 'fails')
  expect(code).toBe(0)
  const lines = stdout.split('\n')
  expect(lines[1]).toMatch(/10:00:01.*accumulate_pay +exit +cron-accumulate_pay-1795255200000$/)
  expect(lines[2]).toBe('  no points today')
  expect(lines[3]).toMatch(/index\.php +no_points +cron-/)
  expect(lines[4]).toBe('  attempt 2: x\\u001b[0m')
})

test('fails stays within 80 columns by giving the id a line of its own', async () => {
  const row = failRow({ job: 'a_job_with_quite_a_long_name_in_it', msg: 'word '.repeat(40) })
  const { stdout } = await against({ fails: async () => [row] }, 'fails')
  expect(stdout.split('\n').filter(line => line.length > 80)).toEqual([])
  expect(stdout).toContain(`\n  ${row.unique_task_id}\n`)
})

test('fails of one job or queue are asked for as such', async () => {
  const { calls } = await against({ fails: async () => [] }, 'fails', '--job', 'j', '--queue', 'q')
  expect(calls).toEqual([['fails', { limit: 20, job: 'j', task_key: 'q' }], ['status']])
})

function refuse(code: ErrorCode): () => Promise<never> {
  return () => Promise.reject(new TaskdError(code, 'it cannot be done', 'do something else'))
}
