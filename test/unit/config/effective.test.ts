import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sectionLines } from '../../../src/cli/config-text.ts'
import { textWidth } from '../../../src/cli/render.ts'
import type { Environment } from '../../../src/config/config.ts'
import { TASKD } from '../../../src/config/core-kinds.ts'
import { defaultText } from '../../../src/config/default-text.ts'
import { type Effective, readEffective } from '../../../src/config/effective.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { headerOf } from '../../../src/config/section.ts'
import { KINDS } from '../../../src/features/index.ts'
import { PROGRAM } from '../../../src/features/programs/schema.ts'
import { anySchedule, type Files, folderOf, job } from './load-files.ts'

function effective(files: Files, env: Environment = {}): Effective & { ok: true } {
  const read = readEffective(join(folderOf(files), 'conf/cron.ini'), env, anySchedule)
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read
}

/** `key = value < where`, of one section. */
function keys(read: Effective & { ok: true }, header: string): string[] {
  const found = read.sections.find(one => headerOf(one.section) === header)
  return (found?.keys ?? []).map(({ key, value, from, unwritten }) => {
    const where =
      from.kind === 'file'
        ? `${from.file.replace(/^.*\/conf\//, '')}:${from.line}`
        : from.kind === 'variable'
          ? from.name
          : 'default'
    return `${unwritten ? '; ' : ''}${key} = ${value} < ${where}`
  })
}

const text = (read: Effective & { ok: true }, width = 80) =>
  read.sections
    .flatMap(one =>
      sectionLines(one, {
        width,
        origin: from => (from.kind === 'file' ? `${from.file}:${from.line}` : from.kind),
      }),
    )
    .join('\n')

describe('every key comes with its value and where it is from', () => {
  const read = () =>
    effective(
      {
        'conf/cron.ini': `[include]\nfiles = more.ini\n[taskd]\nhttp = on\nlog_level = info\nstop_wait = 5`,
        'conf/more.ini': job('param = a'),
        'conf/online/x.ini': '[a]\nparam = b\n[taskd]\nlog_level = warn\nkill_wait = 1',
      },
      { APP_ENV: 'online', TASKD_KILL_WAIT: '2', TASKD_NODE: 'web-1' },
    )

  test('a file, an overlay, a variable that wins over both, or the default', () => {
    expect(keys(read(), '[taskd]')).toEqual(
      expect.arrayContaining([
        'node = web-1 < TASKD_NODE',
        'redis = embedded < default',
        'http = on < cron.ini:4',
        'log_level = warn < online/x.ini:4',
        'stop_wait = 5 < cron.ini:6',
        'kill_wait = 2 < TASKD_KILL_WAIT',
        'max_run_time = 1h < default',
      ]),
    )
    expect(keys(read(), '[a]')).toEqual(
      expect.arrayContaining([
        'task_key = sync_tasks < more.ini:2',
        'param = b < online/x.ini:2',
        'priority = 5 < default',
      ]),
    )
  })

  test('[taskd] and the queues that nobody wrote down come first', () => {
    const headers = read().sections.map(one => headerOf(one.section))
    expect(headers).toEqual(['[taskd]', '[queue:sync_tasks]', '[queue:async_tasks]', '[a]'])
    expect(keys(read(), '[queue:sync_tasks]')).toContain('concurrency = 1 < default')
    expect(keys(read(), '[queue:async_tasks]')).toContain('concurrency = 16 < default')
  })
})

test('every default of every kind of section can be written down', () => {
  const without = KINDS.all.flatMap(({ kind, schema: { shape } }) =>
    Object.entries(shape).flatMap(([key, field]) =>
      field.safeParse(undefined).success &&
      field.safeParse(undefined).data !== undefined &&
      defaultText(field) === undefined
        ? [`${kind}: ${key}`]
        : [],
    ),
  )
  expect(without).toEqual([])
  const { shape } = PROGRAM.schema
  expect(defaultText(shape.stdout_logfile_maxbytes)).toBe('50MB')
  expect(defaultText(shape.startsecs)).toBe('1s')
  expect(defaultText(shape.priority)).toBe('999')
  expect(defaultText(shape.autostart)).toBe('true')
  expect(defaultText(TASKD.schema.shape.result_keep_count)).toBe('100000')
})

test('a default that would be refused if it were written down stays a remark', () => {
  const read = effective({
    'conf/cron.ini': `[queue:q]\nmode = pull\n${job().replace('sync_tasks', 'q')}`,
  })
  expect(keys(read, '[a]')).toEqual(
    expect.arrayContaining(['; priority = 5 < default', 'misfire = once < default']),
  )
  expect(keys(read, '[queue:q]')).toEqual([
    'mode = pull < cron.ini:2',
    'capacity = 500000 < default',
    'lease = 1d < default',
    'retries = 3 < default',
    'max_leases = 0 < default',
    'finish_keep = 100000 < default',
  ])
})

test('what is masked is the secret alone, wherever it stands', () => {
  const read = effective(
    {
      'conf/cron.ini': [
        '[taskd]\nsecret = hunter2-of-the-file\nredis = redis://u:hunter2@h/1',
        '[channel:c]\ntable = t\ncolumns = a\ndatabase = mysql://u:hunter2@h/d',
        '[relay:r]\nredis = redis://:hunter2@h\nlist = l',
        '[program:p]\ncommand = run --token hunter2\nenvironment = A="1",\n  DB_PASSWORD="hunter2"',
        job('param = user=1&api_key=hunter2'),
      ].join('\n'),
    },
    { TASKD_SECRET_READ: 'hunter2-of-a-variable', TASKD_DATABASE: 'mysql://u:hunter2@h/d' },
  )
  const shown = text(read)
  expect(shown).not.toContain('hunter2')
  for (const line of [
    'secret            = ***',
    'secret_read       = ***',
    'redis             = redis://u:***@h/1',
    'database          = mysql://u:***@h/d',
    'param             = "user=1&api_key=***"',
    '    DB_PASSWORD=***',
    '= run --token ***',
  ])
    expect(shown).toContain(line)
})

test('a secret in a file is shown as the file', () => {
  const folder = folderOf({ key: 'hunter2-hunter2-hunter2' })
  const read = effective({ 'conf/cron.ini': '' }, { TASKD_SECRET_PUSH: `@${folder}/key` })
  expect(keys(read, '[taskd]')).toContain(`secret_push = @${folder}/key < TASKD_SECRET_PUSH`)
  expect(text(read)).not.toContain('hunter2')
})

test('lines fit into 80 columns, but for values that are wider themselves', () => {
  const wide = 'x'.repeat(90)
  const read = effective({ 'conf/cron.ini': job(`param = ${wide}`, 'controller = "a ; b"') })
  const lines = text(read).split('\n')
  expect(lines.filter(line => textWidth(line) > 80)).toEqual([`param             = ${wide}`])
  expect(lines[lines.findIndex(line => line.includes(wide)) - 1]).toMatch(/^; \/.*\/cron\.ini:5$/)
  expect(text(read)).toContain('controller        = a \\; b')
})

test('a section of supervisord from another folder keeps its %(here)s', () => {
  const read = effective({
    'conf/cron.ini': '[include]\nfiles = sub/p.conf',
    'conf/sub/p.conf':
      '[supervisord]\nlogfile = x\nenvironment = H="%(here)s"\n[program:p]\ncommand = %(here)s/p 100%%(here)s',
  })
  expect(keys(read, '[program:p]')[0]).toMatch(/^command = \/.*\/conf\/sub\/p 100%%\(here\)s < /)
  expect(keys(read, '[supervisord]')).toEqual([
    expect.stringMatching(/^environment = H="\/.*\/conf\/sub" < sub\/p\.conf:3$/),
  ])
})

test('mistakes are all there is, when there are some', () => {
  const folder = folderOf({ 'conf/cron.ini': '[taskd]\nhttp = x\nredis = y' })
  const read = readEffective(join(folder, 'conf/cron.ini'), {}, anySchedule)
  expect(read.ok ? [] : read.problems.map(one => one.key)).toEqual(['http', 'redis'])
})

test('ten thousand jobs are shown without a wait', () => {
  const jobs = Array.from({ length: 10_000 }, (_, n) =>
    job('priority = 3').replace('[a]', `[a${n}]`),
  )
  const folder = folderOf({ 'conf/cron.ini': jobs.join('\n') })
  const file = join(folder, 'conf/cron.ini')
  const time = (work: () => unknown) => {
    const begun = performance.now()
    work()
    return performance.now() - begun
  }
  const alone = time(() => loadConfig(file, {}, anySchedule))
  expect(time(() => readEffective(file, {}, anySchedule))).toBeLessThan(1000 + 20 * alone)
})
