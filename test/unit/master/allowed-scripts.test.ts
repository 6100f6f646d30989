import { linkSync, mkdirSync, realpathSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import { LiveConfig } from '../../../src/config/live.ts'
import { AllowedScripts } from '../../../src/master/allowed-scripts.ts'
import type { TaskTemplate } from '../../../src/model/job.ts'
import { parseTask, type Task } from '../../../src/model/task.ts'
import { tempDir } from '../../support/temp-dir.ts'

let dir: string

beforeEach(() => {
  dir = realpathSync(tempDir().path)
  for (const folder of ['bin/sub', 'app/deep', 'other', 'jobs'])
    mkdirSync(join(dir, folder), { recursive: true })
  for (const file of [
    'bin/a.sh',
    'bin/sub/b.sh',
    'bin-other.sh',
    'app/x.php',
    'app/.hidden.php',
    'app/x.sh',
    'app/deep/y.php',
    'other/o.sh',
    'jobs/job.sh',
  ])
    writeFileSync(join(dir, file), '', { mode: 0o755 })
})

function taskOf(script: string, rest: object = {}): Task {
  const parsed = parseTask({ script, ...rest }, 'async_tasks', 'id')
  if (!parsed.ok) throw new Error(parsed.reason)
  return parsed.value
}

function template(script: string, rest: Partial<TaskTemplate> = {}): TaskTemplate {
  return { ...taskOf(script), ...rest }
}

interface Given {
  readonly scriptAllow?: readonly string[]
  readonly binPath?: string
  readonly jobs?: readonly TaskTemplate[]
}

function scriptsOf({ scriptAllow, binPath, jobs = [] }: Given): AllowedScripts {
  const settings = {
    ...(scriptAllow && { scriptAllow }),
    ...(binPath !== undefined && { binPath }),
  }
  const config = { settings, jobs: jobs.map(task => ({ task })), sections: { source: [] } }
  return new AllowedScripts(new LiveConfig(config as unknown as Config))
}

/** `ok`, or the code of the refusal. */
function judged(scripts: AllowedScripts, script: string, rest: object = {}): string {
  try {
    scripts.check(taskOf(script, rest))
    return 'ok'
  } catch (error) {
    return (error as { code: string }).code
  }
}

test('nothing is allowed where nothing is configured, and the error says what to do', () => {
  const scripts = scriptsOf({})
  for (const script of ['/bin/sh', 'bin/sh', '../../bin/sh', join(dir, 'bin/a.sh')])
    expect([script, judged(scripts, script)]).toEqual([script, 'E_SCOPE'])
  expect(() => scripts.check(taskOf('/bin/sh', { controller: '-c', function: 'id' }))).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(/^script \/bin\/sh .*scope push.*bin_path.*script_allow/),
      hint: expect.stringContaining('scope admin'),
    }),
  )
})

test('files inside bin_path, whatever ".." and links say', () => {
  const binPath = join(dir, 'bin')
  symlinkSync(join(dir, 'other/o.sh'), join(binPath, 'out.sh'))
  symlinkSync(join(dir, 'other'), join(binPath, 'outer'))
  symlinkSync('a.sh', join(binPath, 'in.sh'))
  symlinkSync(binPath, join(dir, 'alias'))
  const scripts = scriptsOf({ binPath })
  const verdicts: Readonly<Record<string, string>> = {
    'bin/a.sh': 'ok',
    'bin/sub/b.sh': 'ok',
    'bin/sub/../a.sh': 'ok',
    'bin/in.sh': 'ok',
    'bin/out.sh': 'E_SCOPE',
    'bin/outer/o.sh': 'E_SCOPE',
    'bin/../other/o.sh': 'E_SCOPE',
    'bin-other.sh': 'E_SCOPE',
    bin: 'E_BAD_TASK',
    'bin/sub': 'E_BAD_TASK',
    'bin/none.sh': 'E_BAD_TASK',
    // Whoever made this link could let it lead elsewhere a moment later.
    'alias/a.sh': 'E_SCOPE',
  }
  for (const [name, verdict] of Object.entries(verdicts))
    expect([name, judged(scripts, `${dir}/${name}`)]).toEqual([name, verdict])
  // A folder that is itself a link may be called by either name.
  const linked = scriptsOf({ binPath: join(dir, 'alias') })
  expect(judged(linked, join(dir, 'alias/a.sh'))).toBe('ok')
  expect(judged(linked, join(dir, 'bin/a.sh'))).toBe('ok')
})

test('what script_allow lists: files, folders and patterns, whose star is no slash', () => {
  const scripts = scriptsOf({
    scriptAllow: [`${dir}/app/*.php`, `${dir}/other`, `${dir}/bin/a.sh`],
  })
  symlinkSync('/bin/sh', join(dir, 'app/link.php'))
  symlinkSync(join(dir, 'other/o.sh'), join(dir, 'app/near.php'))
  const verdicts: Readonly<Record<string, string>> = {
    'app/x.php': 'ok',
    'app/x.sh': 'E_SCOPE',
    'app/.hidden.php': 'E_SCOPE',
    'app/deep/y.php': 'E_SCOPE',
    'app/deep/../x.php': 'ok',
    'app/link.php': 'E_SCOPE',
    'app/near.php': 'ok',
    'other/o.sh': 'ok',
    'bin/a.sh': 'ok',
    'bin/sub/b.sh': 'E_SCOPE',
    'app/none.php': 'E_BAD_TASK',
  }
  for (const [name, verdict] of Object.entries(verdicts))
    expect([name, judged(scripts, `${dir}/${name}`)]).toEqual([name, verdict])
})

test('a folder behind a link that a deploy moves is looked at anew each time', () => {
  mkdirSync(join(dir, 'releases/1'), { recursive: true })
  mkdirSync(join(dir, 'releases/2'))
  for (const n of [1, 2]) writeFileSync(join(dir, `releases/${n}/run.php`), '')
  symlinkSync(join(dir, 'releases/1'), join(dir, 'current'))
  const scripts = scriptsOf({ scriptAllow: [`${dir}/current/*.php`] })
  expect(judged(scripts, `${dir}/current/run.php`)).toBe('ok')
  symlinkSync(join(dir, 'releases/2'), join(dir, 'next'))
  renameSync(join(dir, 'next'), join(dir, 'current'))
  expect(judged(scripts, `${dir}/current/run.php`)).toBe('ok')
  expect(judged(scripts, `${dir}/releases/1/run.php`)).toBe('E_SCOPE')
})

test('a second name of a file that is elsewhere too is a file of the folder', () => {
  linkSync(join(dir, 'other/o.sh'), join(dir, 'bin/hard.sh'))
  expect(judged(scriptsOf({ binPath: join(dir, 'bin') }), join(dir, 'bin/hard.sh'))).toBe('ok')
})

test('a script of a job runs as it does for the job, with any arguments', () => {
  const script = join(dir, 'jobs/job.sh')
  const like = {
    user: 'www-data',
    directory: '/srv',
    interpreter: '/usr/bin/php8.2',
    environment: { A: 'b' },
  }
  const scripts = scriptsOf({ jobs: [template(script, { ...like, controller: 'c' })] })
  const task = taskOf(script, { controller: 'other', function: 'f', param: { x: 1 } })
  expect(scripts.check(task)).toEqual({ ...task, ...like })
  expect(judged(scripts, join(dir, 'jobs/../jobs/job.sh'))).toBe('ok')
  expect(judged(scripts, join(dir, 'other/o.sh'))).toBe('E_SCOPE')
  // The job may be about to get its file: a push runs no sooner than it.
  const absent = join(dir, 'absent.sh')
  expect(judged(scriptsOf({ jobs: [template(absent)] }), absent)).toBe('ok')
})

test('of two jobs with one script, the one with the same arguments counts', () => {
  const script = join(dir, 'jobs/job.sh')
  const jobs = [template(script, { user: 'a' }), template(script, { user: 'b', controller: 'c' })]
  const scripts = scriptsOf({ jobs })
  expect(scripts.check(taskOf(script, { controller: 'c' })).user).toBe('b')
  expect(scripts.check(taskOf(script, { controller: 'd' })).user).toBe('a')
})

test.each(['/bin/sh', '/usr/bin/env', '/usr/local/bin/php', '/sbin/ip'])(
  '%s of a job takes the arguments of the job alone',
  script => {
    const args = { controller: '-c', function: 'true', param: 'x=1' }
    const scripts = scriptsOf({ jobs: [template(script, args)] })
    expect(judged(scripts, script, args)).toBe('ok')
    for (const other of [{}, { ...args, function: 'id' }, { ...args, param: 'x=2' }])
      expect(judged(scripts, script, other)).toBe('E_SCOPE')
  },
)

test('what is no script is judged where it runs', () => {
  const scripts = scriptsOf({})
  for (const call of ['bin', 'rpc', 'function'] as const) {
    const task = { ...taskOf('/bin/sh'), call }
    expect(scripts.check(task)).toBe(task)
  }
})
