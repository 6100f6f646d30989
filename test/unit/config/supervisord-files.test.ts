import { describe, expect, test } from 'vitest'
import { type Files, load, problemsOf, sectionsOf, short } from './load-files.ts'

const MAIN = '[taskd]\nnode = a\n[include]\nfiles = '
const program = (...lines: string[]) => ['[program:x]', 'command = /bin/x', ...lines, ''].join('\n')

function findings(files: Files) {
  const loaded = load(files)
  const text = (one: (typeof loaded.notes)[number]) =>
    short(one).replace(/^\S*\/conf\/([\w./-]+):/, '$1:')
  return {
    problems: problemsOf(loaded).map(one => text({ ...one, level: 'note' })),
    notes: loaded.notes.map(text),
    processes: loaded.ok ? sectionsOf(loaded.config).processes : [],
  }
}

const first = (text: string) => findings({ 'conf/cron.ini': text })

describe('an unknown key', () => {
  const KEY = 'dependent_startup = true'
  const NOTE = 'dependent_startup = true: is not a key of [program:x]'

  test.each<[string, Files]>([
    [
      'in a file that ends in .conf',
      { 'conf/cron.ini': `${MAIN}web.conf`, 'conf/web.conf': program(KEY) },
    ],
    [
      'beside [supervisord]',
      {
        'conf/cron.ini': `${MAIN}web.ini`,
        'conf/web.ini': `[supervisord]\nnodaemon = true\n${program(KEY)}`,
      },
    ],
    [
      'in a file that such a one includes',
      {
        'conf/cron.ini': `${MAIN}s.conf`,
        'conf/s.conf': '[supervisord]\n[include]\nfiles = d/*.ini\n',
        'conf/d/web.ini': program(KEY),
      },
    ],
    ['in a whole supervisord.conf', { 'conf/cron.ini': `[supervisord]\n${program(KEY)}` }],
  ])('%s is a note, and the program runs', (_, files) => {
    const { problems, notes, processes } = findings(files)
    expect(problems).toEqual([])
    expect(notes.join('\n')).toContain(`${NOTE}, and is passed over`)
    expect(processes).toMatchObject([{ name: 'x' }])
  })

  test.each<[string, Files]>([
    ['in cron.ini', { 'conf/cron.ini': program(KEY) }],
    ['in a part of cron.ini', { 'conf/cron.ini': `${MAIN}p.ini`, 'conf/p.ini': program(KEY) }],
    [
      'in a .conf with a section of ours',
      { 'conf/cron.ini': `${MAIN}p.conf`, 'conf/p.conf': `[queue:q]\n${program(KEY)}` },
    ],
  ])('%s is a mistake', (_, files) => {
    expect(findings(files).problems).toEqual([expect.stringContaining(NOTE)])
  })
})

test.each([
  ['pidfile = /run/x.pid', 'it belongs in [supervisord]'],
  ['run_time = * * * * *', 'it belongs in a job'],
  ['workers = 2', 'it belongs in [queue:NAME]'],
  ['url = http://x', 'known keys: command,'],
  ['list = a', 'known keys: command,'],
])('%s in a program: %s', (line, hint) => {
  expect(first(program(line)).problems).toEqual([expect.stringContaining(`. ${hint}`)])
})

test('a key of programs and of jobs belongs to both', () => {
  const { problems } = first(`${program()}[group:g]\nprograms = x\ndirectory = /srv\n`)
  expect(problems).toEqual([expect.stringContaining('it belongs in a job or [program:NAME]')])
})

test('an indented header is a mistake, and no part of the value above', () => {
  const { problems } = first(`${program()}  [program:y]\n  command = /bin/y\n`)
  expect(problems).toEqual([
    'cron.ini:3: [program:y]: is indented, so supervisord reads it as more of the value above. remove the blanks before it',
  ])
  const shell = first("[program:x]\ncommand = sh -c '\n  [ -f a ]\n  && b'\n")
  expect(shell.problems).toEqual([])
  expect(shell.processes[0]?.argv[2]).toContain('[ -f a ]')
})

test.each([
  ['/proc/1/fd/1', { kind: 'inherit', fd: 1 }],
  ['/proc/1/fd/2', { kind: 'inherit', fd: 2 }],
  ['/proc/self/fd/2', { kind: 'inherit', fd: 2 }],
  ['"/var/log/x y.log"', { kind: 'file', path: '/var/log/x y.log' }],
  ["'/var/log/x.log'", { kind: 'file', path: '/var/log/x.log' }],
  ['"NONE"', { kind: 'none' }],
])('stdout_logfile = %s', (text, stdout) => {
  const { problems, processes } = first(program(`stdout_logfile = ${text}`))
  expect(problems).toEqual([])
  expect(processes[0]?.stdout).toMatchObject(stdout)
})

test('a variable may be a word of any language without quotes', () => {
  const { processes } = first(program('environment = A=ü,B=字段,C="x y"'))
  expect(processes[0]?.environment).toEqual({ A: 'ü', B: '字段', C: 'x y' })
})

test('a command of a megabyte is read', () => {
  const words = 'abcdefg '.repeat(131_072)
  const { problems, processes } = first(`[program:x]\ncommand = /bin/x ${words}\n`)
  expect(problems).toEqual([])
  expect(processes[0]?.argv).toHaveLength(131_073)
  const word = first(`[program:x]\ncommand = /bin/x ${'a'.repeat(131_072)}\n`)
  expect(word.problems).toEqual([
    expect.stringContaining('has a word longer than 131071 bytes. hand the data over in a file'),
  ])
})
