import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { sectionLines } from '../../../src/cli/config-text.ts'
import type { Config, Environment } from '../../../src/config/config.ts'
import { formatProblem } from '../../../src/config/diagnostics.ts'
import { readEffective } from '../../../src/config/effective.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { KINDS } from '../../../src/features/index.ts'
import { sectionsOf } from '../../unit/config/load-files.ts'

const root = mkdtempSync(join(tmpdir(), 'taskd-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const deps = { kinds: KINDS, checkSchedule: () => ({ notes: [] }) }

let count = 0
function write(files: Readonly<Record<string, string>>): string {
  count += 1
  const folder = join(root, String(count))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return join(folder, 'conf/cron.ini')
}

/** What `taskd config` prints, at a width where some remarks go above their line. */
function printed(file: string, env: Environment): string | undefined {
  const read = readEffective(file, env, deps)
  if (!read.ok) return undefined
  const origin = () => 'x'.repeat(count % 40)
  return read.sections.flatMap(one => sectionLines(one, { width: 80, origin })).join('\n')
}

const quoted = (value: string) => `"${value.replace(/["\\]/g, '\\$&')}"`
/** One line of anything, rich in what means something in a file. */
const line = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom('"', "'", '\\', ' ;', ' #', ' //', ' ', '\t', '=', '[', ']', '%', '&', 'a'),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
    ),
    maxLength: 30,
  })
  .map(text => text.replace(/[\r\n\0]/g, '').toWellFormed())

const some = (...keys: readonly (readonly [string, readonly string[]])[]) =>
  fc
    .tuple(...keys.map(([key, values]) => fc.option(fc.constantFrom(...values).map(v => [key, v]))))
    .map(pairs => pairs.flatMap(pair => (pair === null ? [] : [`${pair[0]} = ${pair[1]}`])))

const taskd = some(
  ['node', ['web-1', 'n']],
  ['redis', ['embedded', 'unix:run/r.sock', 'redis://h:1/2']],
  ['database', ['sqlite:../x.db', 'mysql://u@h/d']],
  ['data_dir', ['../d', '/var/d']],
  ['http', ['on', 'off', '127.0.0.1:80']],
  ['timezone', ['Asia/Shanghai']],
  ['stop_wait', ['5', '1h30m']],
  ['log_level', ['warn']],
  ['php', ['php8', 'bin/php']],
)
const queue = some(
  ['workers', ['0', '2']],
  ['rate', ['10/1s', '600 / 1m']],
  ['period', ['0', '0s']],
)
const pull = some(['lease', ['2d']], ['retries', ['0']], ['capacity', ['7']])
const jobKeys = fc
  .tuple(
    some(
      ['overlap', ['queue', 'allow']],
      ['misfire', ['all', 'skip']],
      ['max_backfill', ['3']],
      ['retries', ['2']],
      ['retry_intervals', ['1 2', '10, 1m']],
      ['environment', [`A="x;y",B=z`, `A='x # y'`]],
      ['directory', ['w', '/w']],
      ['priority', ['1']],
      ['enabled', ['off', 'yes']],
    ),
    line,
    line,
  )
  .map(([keys, param, controller]) => [
    ...keys,
    `param = ${quoted(param)}`,
    `controller = ${quoted(controller)}`,
  ])
const program = some(
  ['environment', ['A="x ; y",\n  B="%(here)s",\n  C="100%%"', 'H="%(host_node_name)s"']],
  ['numprocs', ['1']],
  ['process_name', ['%(program_name)s_%(process_num)02d']],
  ['startsecs', ['0', '5']],
  ['startretries', ['9']],
  ['max_deaths', ['2', '20']],
  ['stopsignal', ['QUIT', '10']],
  ['exitcodes', ['', '0,2']],
  ['stdout_logfile', ['NONE', '%(here)s/x.log', '/x/%(process_num)d.log']],
  ['stdout_logfile_maxbytes', ['0', '1MB']],
  ['redirect_stderr', ['true']],
  ['on_orphan', ['adopt']],
  ['directory', ['~/w', '%(here)s/..']],
)
const others = some(
  ['[channel:c]\ntable = t\ncolumns = a!:int, b\nmax_rows', ['7', '5000']],
  ['[relay:r]\nredis = unix:r.sock\nlist = l\ntake', ['left', 'right']],
  ['[supervisord]\numask', ['022', '077']],
  ['[notify:n]\nurl = http://h\non', ['fail', 'all']],
  ['[notify:m]\nmail = smtp://h\nto = a@b\nfrom', ['a@b']],
  ['[source:s]\ntable = t\nscript = s.php\ntask_key', ['sync_tasks']],
  ['[source:t]\ntable = t\ntask_key = q\nscript_column', ['x']],
  ['[group:g]\nprograms', ['p', 'p,o', 'o']],
)

const jobOf = (name: string, keys: readonly string[]) =>
  [`[${name}]`, 'run_time = 1 * * * *', 'script = s.php', ...keys].join('\n')

const configuration = fc
  .record({ taskd, over: taskd, queue, pull, job: jobKeys, other: jobKeys, program, others })
  .map(one => ({
    'conf/cron.ini': [
      '[include]\nfiles = sub/*.conf',
      ['[taskd]', ...one.taskd].join('\n'),
      ['[queue:q]', ...one.queue].join('\n'),
      ['[queue:pulled]', 'mode = pull', ...one.pull].join('\n'),
      jobOf('任务', ['task_key = q', ...one.job]),
      jobOf('b', ['task_key = sync_tasks']),
      jobOf('p', ['task_key = pulled']),
      ...one.others.filter(text => !text.startsWith('[group')),
    ].join('\n'),
    'conf/sub/p.conf': [
      '[program:p]\ncommand = %(here)s/p -x "a ; b"',
      ...one.program,
      '[program:o]\ncommand=/o',
      ...one.others.filter(text => text.startsWith('[group')),
    ].join('\n'),
    'conf/online/x.ini': [
      ['[taskd]', ...one.over].join('\n'),
      ['[b]', ...one.other].join('\n'),
      '[program:o]\nstartsecs = 3',
    ].join('\n'),
  }))

/** Which line of which file a program stands on is no part of what it is. */
function meaning(config: Config): unknown {
  const anywhere = { file: '', line: 0 }
  const { programs, processes } = sectionsOf(config)
  const program = { processes, programs: programs.map(one => ({ ...one, ...anywhere })) }
  return { ...config, sections: { ...config.sections, program }, file: '', files: [] }
}

test('what is printed loads again, alone, as the same configuration', () => {
  let sound = 0
  fc.assert(
    fc.property(configuration, fc.boolean(), fc.boolean(), (files, online, variable) => {
      const env = { HOME: '/home/x', ...(online && { APP_ENV: 'online' }) }
      const file = write(files)
      const told = { ...env, ...(variable && { TASKD_KILL_WAIT: '7', TASKD_TASKS: 'f' }) }
      const before = loadConfig(file, told, deps)
      const text = printed(file, told)
      expect(text !== undefined).toBe(before.ok)
      if (!before.ok || text === undefined) return
      sound += 1
      writeFileSync(file, text)
      const after = loadConfig(file, { HOME: '/home/x' }, deps)
      if (!after.ok) throw new Error(`${after.problems.map(formatProblem).join('\n')}\n${text}`)
      expect(meaning(after.config)).toEqual(meaning(before.config))
      expect(after.notes.length).toBeLessThanOrEqual(before.notes.length)
    }),
    { numRuns: 150 },
  )
  expect(sound).toBeGreaterThan(75)
})
