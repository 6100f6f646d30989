import { expect, test } from 'vitest'
import type { Control } from '../../../src/api/control.ts'
import { textWidth } from '../../../src/cli/render.ts'
import type { ErrorCode } from '../../../src/lib/error-codes.ts'
import { TaskdError } from '../../../src/lib/errors.ts'
import { job, sqlJob, sqlRun, status } from './fake-control.ts'
import { cli } from './run-cli.ts'
import { serveFake } from './serve-fake.ts'

async function against(answers: Partial<Control>, ...argv: string[]) {
  await using daemon = await serveFake(answers)
  const env = { TASKD_SOCKET: daemon.socket }
  const result = await cli(argv, { env, cwd: daemon.dir })
  return { ...result, calls: daemon.control.calls }
}

const ROW = {
  task_key: '报表:日',
  execute_func: 'report',
  trigger: 'cron',
  spec: '* * * * *',
  args: '1,"two"',
  is_valid: true,
}
const ADD = ['add', '报表:日', '--trigger', 'cron', '--spec', '* * * * *', '--func', 'report']

test.each<[string[], unknown[], number, RegExp]>([
  [[...ADD, '--args', '1,"two"'], ['addSqlJob', ROW], 0, /^报表:日: added; next /],
  [
    [...ADD, '--disabled'],
    ['addSqlJob', { ...ROW, args: '', is_valid: false }],
    0,
    /^报表:日: added\n$/,
  ],
  [['enable', 'a b'], ['changeSqlJob', { task_key: 'a b', is_valid: true }], 0, /^a b: enabled/],
  [['disable', 'x'], ['changeSqlJob', { task_key: 'x', is_valid: false }], 0, /^x: disabled\n$/],
  [
    ['spec', 'x', '5 * * * *'],
    ['changeSqlJob', { task_key: 'x', spec: '5 * * * *' }],
    0,
    /changed/,
  ],
  [['run', 'x'], ['runJob', 'task:x', { wait: false }], 0, /^run-task:x\n$/],
  [['history'], ['sqlJobHistory', { limit: 20 }], 0, /TASK_KEY +BEGAN/],
  [['history', 'x', '--limit', '5'], ['sqlJobHistory', { limit: 5, task_key: 'x' }], 0, /^BEGAN/],
])('taskd task %j asks the daemon and says what came of it', async (argv, call, code, text) => {
  const { calls, ...result } = await against({}, 'task', ...argv)
  expect(calls).toEqual([call])
  expect([result.code, result.stderr]).toEqual([code, ''])
  expect(result.stdout).toMatch(text)
})

test.each<[string[], RegExp]>([
  [['lst'], /no action lst. did you mean list\?/],
  [['add'], /wants the task_key of a row/],
  [['add', 'x', '--trigger', 'cron', '--spec', '1'], /wants --func/],
  [['list', 'x'], /takes no x/],
  [['spec', 'x'], /wants a task_key and a spec/],
  [['enable', 'x', '--wait'], /takes no --wait/],
  [['history', '--limit', '0'], /--limit/],
])('taskd task %j is bad usage, and nobody is asked', async (argv, said) => {
  const { code, stderr, calls } = await against({}, 'task', ...argv)
  expect([code, calls]).toEqual([2, []])
  expect(stderr).toMatch(said)
})

test('what could not run is refused with exit 2, what is not there with 4, an outage with 1', async () => {
  const failing = (code: ErrorCode) => ({
    addSqlJob: () => Promise.reject(new TaskdError(code, 'so', 'mend it')),
  })
  expect((await against(failing('E_BAD_ROW'), 'task', ...ADD)).code).toBe(2)
  expect((await against(failing('E_TASK_EXISTS'), 'task', ...ADD)).code).toBe(1)
  expect((await against(failing('E_DATABASE_AWAY'), 'task', ...ADD)).code).toBe(1)
  const gone = await against({}, 'task', 'enable', 'gone')
  expect([gone.code, gone.stderr]).toEqual([4, 'taskd: no such row. look at the list\n'])
  const nobody = await cli(['task', 'list'], { env: { TASKD_SOCKET: '/nowhere/x.sock' } })
  expect(nobody.code).toBe(4)
})

test('the list fits into 80 columns, whatever the rows say', async () => {
  const rows = [
    sqlJob('report'),
    sqlJob('长'.repeat(100), { spec: '1'.repeat(200), args: '"x",'.repeat(60), next: null }),
    sqlJob('broken', { problem: `spec = 99 * * * *: ${'what is wrong '.repeat(20)}`, next: null }),
    sqlJob('\u001b[31mred', { is_valid: false, next: null, last: null }),
    sqlJob('busy', { status: 'doing' }),
  ]
  const { stdout } = await against({ listSqlJobs: async () => rows }, 'task', 'list')
  const lines = stdout.trimEnd().split('\n')
  expect(lines.filter(line => textWidth(line) > 80)).toEqual([])
  expect(stdout).not.toContain('\u001b[31m')
  expect(lines.map(line => /[A-Z]{3,9}/.exec(line)?.[0] ?? '').filter(Boolean)).toEqual([
    'TASK',
    'SCHEDULED',
    'IDLE',
    'BAD',
    'DISABLED',
    'DOING',
  ])
  expect(lines[2]).toMatch(/^ {2}report\(1,"two"\), last .*succ$/)
})

test('listings are JSON with --json', async () => {
  const listed = await against({}, 'task', 'list', '--json')
  expect(JSON.parse(listed.stdout)).toEqual([sqlJob('report')])
  const runs = await against({}, 'task', 'history', '--json')
  expect(JSON.parse(runs.stdout)).toEqual([sqlRun()])
  expect((await against({ listSqlJobs: async () => [] }, 'task', 'list')).stdout).toBe(
    'no rows yet; taskd task add makes one\n',
  )
})

test('history says what each run answered, how long it took, and who runs what still runs', async () => {
  const runs = [
    sqlRun({ id: 33, status: 'doing', extra: '{"worker_id":"web-1-async_tasks-1"}' }),
    sqlRun({ id: 32, extra: '{"code":"succ","msg":"3 reports","duration_ms":1500}' }),
    sqlRun({ id: 31, status: 'fail', extra: 'not JSON', task_key: '' }),
  ]
  const { stdout } = await against({ sqlJobHistory: async () => runs }, 'task', 'history')
  expect(stdout).toMatch(/report .* doing .* 33\n {2}on web-1-async_tasks-1\n/)
  expect(stdout).toMatch(/succ +1\.5s +32\n {2}3 reports\n/)
  expect(stdout).toMatch(/row 7 .* fail .* 31\n {2}not JSON\n/)
})

test('a bad row is BAD in status and changes no exit code; a table that cannot be read is told', async () => {
  const bad = { ...job('task:x'), bad: true as const, held: 'spec = x: is wrong', next: null }
  const since = '2026-11-21T10:00:00.000+00:00'
  const sql_jobs = { ok: false, error: 'no such column: spec', since, count: 0, bad: 1 }
  const { code, stdout } = await against(
    { status: async () => status({ jobs: [bad], sql_jobs }) },
    'status',
  )
  expect(code).toBe(0)
  expect(stdout).toMatch(/^task:x +BAD +spec = x: is wrong/m)
  expect(stdout).toMatch(/^table of jobs +AWAY +since .*no such column/m)
})

test('a table of jobs that is away with its database is told once', async () => {
  const since = '2026-11-21T10:00:00.000+00:00'
  const { code, stdout } = await against(
    {
      status: async () =>
        status({
          database: { ...status().database, ok: false, error: 'ECONNREFUSED' },
          sql_jobs: { ok: false, error: 'ECONNREFUSED', since, count: 3, bad: 0 },
        }),
    },
    'status',
  )
  expect([code, stdout.match(/AWAY/g)?.length]).toEqual([3, 1])
})
