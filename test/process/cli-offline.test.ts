import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { serveFake } from '../integration/api/serve-fake.ts'
import { tempDir } from '../support/temp-dir.ts'

/** bin/taskd as people start it, without a daemon of its own. */

const TASKD = resolve('bin/taskd')

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Surroundings {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** Closes its standard output after this many bytes. */
  readonly readOnly?: number
}

function taskd(args: readonly string[], { cwd, env = {}, readOnly }: Surroundings): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const own = { PATH: process.env['PATH'], HOME: cwd, TZ: 'UTC', ...env }
    const child = spawn(TASKD, args, { cwd, env: own, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      if (readOnly !== undefined && stdout.length >= readOnly) child.stdout.destroy()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('error', reject)
    child.once('close', code => resolve({ code, stdout, stderr }))
  })
}

const GOOD = `
[accumulate_pay]
task_key   = sync_tasks
run_time   = 30 2 * * *
timezone   = Europe/Berlin
script     = /var/www/points/index.php
controller = api/AccumulatePay
function   = execute
param      =
[later]
enabled    = false
task_key   = async_tasks
run_time   = @every 90s
script     = x.sh
controller = a
function   = b
param      =
`

function configured(text: string) {
  const dir = tempDir('taskd-cli-')
  mkdirSync(join(dir.path, 'conf'))
  writeFileSync(join(dir.path, 'conf/cron.ini'), text)
  return { cwd: dir.path, [Symbol.asyncDispose]: () => dir.remove() }
}

test('check of a configuration in order is 0 and []', async () => {
  await using here = configured(GOOD)
  expect(await taskd(['check', '--json'], here)).toEqual({ code: 0, stdout: '[]\n', stderr: '' })
  const told = await taskd(['check'], here)
  expect([told.code, told.stdout]).toEqual([
    0,
    expect.stringMatching(/conf\/cron\.ini is in order: 2 jobs, 2 queues\n$/),
  ])
})

test('check shows every mistake with its place, and is 2', async () => {
  await using here = configured(`${GOOD}[broken]\ntask_key = sync_task\nrun_time = 61 * * * *\n`)
  const json = await taskd(['check', '--json'], here)
  expect(json.code).toBe(2)
  const problems = JSON.parse(json.stdout) as Record<string, unknown>[]
  expect(problems.map(one => one['key'])).toEqual(
    expect.arrayContaining(['task_key', 'run_time', 'script']),
  )
  const file = join(here.cwd, 'conf/cron.ini')
  for (const one of problems) expect(one).toMatchObject({ file, line: expect.any(Number) })
  const told = await taskd(['check'], here)
  expect(told.code).toBe(2)
  const lines = told.stdout.trim().split('\n')
  expect(lines.filter(line => !line.startsWith('note: '))).toHaveLength(problems.length)
  expect(told.stdout).toMatch(
    /^conf\/cron\.ini:\d+: task_key = sync_task: .*did you mean "sync_tasks"/m,
  )
})

test('check of a file that is not there is 2', async () => {
  await using dir = tempDir('taskd-cli-')
  const { code, stdout } = await taskd(['check', '-c', 'none.ini'], { cwd: dir.path })
  expect([code, stdout]).toEqual([2, expect.stringContaining('there is no such file')])
})

test('next shows when jobs run, with offsets, and what a clock change does', async () => {
  await using here = configured(GOOD)
  const from = ['--from', '2026-03-28T00:00:00', '--json']
  const { code, stdout } = await taskd(['next', 'accumulate_pay', '--count', '3', ...from], here)
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual([
    { job: 'accumulate_pay', at: '2026-03-28T02:30:00.000+01:00', note: '' },
    {
      job: 'accumulate_pay',
      at: '2026-03-29T03:00:00.000+02:00',
      note: expect.stringContaining('02:30'),
    },
    { job: 'accumulate_pay', at: '2026-03-30T02:30:00.000+02:00', note: '' },
  ])
})

test('next without a job shows one time of every job that is enabled', async () => {
  await using here = configured(GOOD)
  const { stdout } = await taskd(['next', '--json'], here)
  expect((JSON.parse(stdout) as { job: string }[]).map(row => row.job)).toEqual(['accumulate_pay'])
})

test('next points to jobs in SQL where there may be some, and not in its JSON', async () => {
  await using here = configured(GOOD)
  expect((await taskd(['next'], here)).stderr).toBe('')
  mkdirSync(join(here.cwd, 'tasks'))
  const hint = 'jobs in SQL are not among these: taskd task list\n'
  expect((await taskd(['next'], here)).stderr).toBe(hint)
  for (const more of [['--json'], ['accumulate_pay'], ['--cron', '* * * * *']])
    expect((await taskd(['next', ...more], here)).stderr).toBe('')
  const named = await taskd(['next', 'task:report'], here)
  expect([named.code, named.stderr]).toEqual([
    4,
    'taskd: task:report is a job in SQL. `taskd task list` shows its next run\n',
  ])
})

test('next of an expression needs no configuration, and includes the time it looks from', async () => {
  await using dir = tempDir('taskd-cli-')
  const args = ['next', '--cron', '*/15 9 * * *', '--timezone', 'Asia/Kathmandu', '--count', '2']
  const result = await taskd([...args, '--from', '2026-01-05T09:15:00'], { cwd: dir.path })
  expect(result).toEqual({
    code: 0,
    stdout: '2026-01-05T09:15:00.000+05:45\n2026-01-05T09:30:00.000+05:45\n',
    stderr: '',
  })
})

test.each([
  [['next', 'acumulate_pay'], 4, 'did you mean accumulate_pay?'],
  [['next', '--cron', '61 * * * *'], 2, 'minute'],
  [['next', '--cron', '* * * * *', '--timezone', 'Mars/Olympus'], 2, 'Mars/Olympus'],
  [['next', '--count', '0'], 2, '--count'],
  [['next', '--from', 'tomorrow'], 2, 'tomorrow'],
  [['nxt'], 2, 'did you mean next?'],
  [['check', '--jsn'], 2, 'did you mean --json?'],
])('taskd %j is exit code %i and one line that says %j', async (args, code, said) => {
  await using here = configured(GOOD)
  const result = await taskd(args, here)
  expect([result.code, result.stdout]).toEqual([code, ''])
  expect(result.stderr).toMatch(/^taskd: [^\n]+\n$/)
  expect(result.stderr).toContain(said)
})

test('status without a daemon is 4 and says how to start one', async () => {
  await using here = configured(GOOD)
  const { code, stdout, stderr } = await taskd(['status'], here)
  expect([code, stdout]).toEqual([4, ''])
  expect(stderr).toMatch(/^taskd: no daemon here: .*taskd\.sock\. .*taskd start.*\n$/)
})

test('status finds the daemon through a configuration with a mistake', async () => {
  await using daemon = await serveFake()
  await using here = configured(`[taskd]\nsocket = ${daemon.socket}\nnonsense = 1\n[job`)
  const { code, stdout } = await taskd(['status', '--json'], here)
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { node: 'web-1' }])
})

test('stop without a daemon is done already', async () => {
  await using here = configured(GOOD)
  const { code, stderr } = await taskd(['stop'], here)
  expect([code, stderr]).toEqual([0, expect.stringContaining('no daemon here')])
})

test('start and restart refuse a configuration with a mistake, and start nothing', async () => {
  await using here = configured('[taskd]\nnonsense = 1\n')
  for (const verb of ['start', 'restart']) {
    const { code, stdout, stderr } = await taskd([verb], here)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^conf\/cron\.ini:2: nonsense = 1: /)
  }
})

test('start refuses a second daemon and names the first', async () => {
  await using daemon = await serveFake()
  await using here = configured(`[taskd]\nsocket = ${daemon.socket}\n`)
  const { code, stderr } = await taskd(['start'], here)
  expect([code, stderr]).toEqual([1, expect.stringContaining('taskd already runs: pid 4242')])
})

test('a daemon that cannot start says why in a moment', async () => {
  await using here = configured('[taskd]\nsocket = none/taskd.sock\n')
  const { code, stderr } = await taskd(['start'], here)
  expect(code).toBe(1)
  expect(stderr).toMatch(/^taskd: did not start \(exit code 1\)\. its log is .*taskd\.log:\n/)
  expect(stderr).toContain('none/taskd.sock')
})

test('a reader that has seen enough ends the listing quietly', async () => {
  await using dir = tempDir('taskd-cli-')
  const args = ['next', '--cron', '* * * * *', '--count', '10000', '--timezone', 'UTC']
  const { stderr } = await taskd(args, { cwd: dir.path, readOnly: 1 })
  expect(stderr).toBe('')
})

test('help fits 80 columns and has examples, for taskd and for every verb', async () => {
  await using dir = tempDir('taskd-cli-')
  const top = await taskd(['--help'], { cwd: dir.path })
  const verbs = [...top.stdout.matchAll(/^ {2}([a-z]+) .*$/gm)].map(match => match[1] ?? '')
  expect(verbs).toEqual(expect.arrayContaining(['start', 'status', 'push', 'doctor', 'drain']))
  const helps = await Promise.all(verbs.map(verb => taskd([verb, '--help'], { cwd: dir.path })))
  for (const { code, stdout } of [top, ...helps]) {
    expect(code).toBe(0)
    expect(stdout).toContain('Examples:\n  $ taskd ')
    expect(stdout.split('\n').filter(line => line.length > 80)).toEqual([])
  }
})

test('help by that word, and a mistake names the help of its own command', async () => {
  await using dir = tempDir('taskd-cli-')
  const [top, one, asked] = await Promise.all([
    taskd(['help'], { cwd: dir.path }),
    taskd(['help', 'why'], { cwd: dir.path }),
    taskd(['why', '--help'], { cwd: dir.path }),
  ])
  expect(top).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: taskd [options]') })
  expect(one).toMatchObject({ code: 0, stdout: asked.stdout })
  expect(asked.stdout).toContain('Usage: taskd why [options] <name>')
  for (const [argv, says] of [
    [['why'], "missing required argument 'name'. taskd why --help"],
    [['plan', 'x'], /but got 1\. taskd plan --help/],
    [['frobnicate'], "unknown command 'frobnicate'. taskd --help"],
  ] as const) {
    const { code, stderr } = await taskd(argv, { cwd: dir.path })
    expect([code, stderr.split('\n').length]).toEqual([2, 2])
    expect(stderr).toMatch(says)
  }
})

test('the version is that of the package', async () => {
  await using dir = tempDir('taskd-cli-')
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  expect(await taskd(['--version'], { cwd: dir.path })).toMatchObject({
    code: 0,
    stdout: `${version}\n`,
  })
})

test('status loads neither the schemas nor what other verbs need', async () => {
  await using daemon = await serveFake()
  await using here = configured(`[taskd]\nsocket = ${daemon.socket}\n`)
  const list = join(here.cwd, 'loaded')
  const hook = join(here.cwd, 'hook.mjs')
  writeFileSync(
    hook,
    `import { appendFileSync } from 'node:fs'
     export async function load(url, context, next) {
       appendFileSync(${JSON.stringify(list)}, url + '\\n')
       return next(url, context)
     }`,
  )
  const register = `import { register } from 'node:module'; register(${JSON.stringify(`file://${hook}`)})`
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(register)}`
  const { code } = await taskd(['status'], { cwd: here.cwd, env: { NODE_OPTIONS } })
  expect(code).toBe(0)
  const files = readFileSync(list, 'utf8')
    .trim()
    .split('\n')
    .filter(url => url.startsWith('file:') && url !== `file://${hook}`)
  // Of each file that was loaded, the modules that went into it.
  const loaded = files.flatMap(url => {
    const map = readFileSync(new URL(`${url}.map`), 'utf8')
    return (JSON.parse(map) as { sources: string[] }).sources
  })
  expect(loaded.some(path => path.endsWith('/cli/commands/status.ts'))).toBe(true)
  const unwanted =
    /node_modules\/(?!commander|picocolors)|\/src\/(master|schedule)\/|commands\/(?!status)/
  expect(loaded.filter(url => unwanted.test(url))).toEqual([])
})
