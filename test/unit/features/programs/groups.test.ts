import { expect, test } from 'vitest'
import { processesOf } from '../../../../src/features/programs/processes.ts'
import { configOf, load, sectionsOf, short } from '../../config/load-files.ts'
import { ENV, notesIn, processesIn, section, wrongText } from './texts.ts'

const program = (name: string, ...lines: string[]) =>
  section(...lines).replace('[program:x]', `[program:${name}]`)
const names = (text: string) => processesIn(text).map(one => one.name)

test('the programs of a group carry its name, and are no groups of their own', () => {
  const text = `${program('a')}${program('b')}[group:g]\nprograms = b , a\npriority = 3\n`
  expect(
    processesIn(text).map(one => [one.name, one.group, one.program, one.groupPriority]),
  ).toEqual([
    ['g:b', 'g', 'b', 3],
    ['g:a', 'g', 'a', 3],
  ])
})

test('%(group_name)s is the group, and AUTO logs have it in their names', () => {
  const [one] = processesIn(
    `${program('a', 'command = /bin/%(group_name)s')}[group:g]\nprograms = a\n`,
  )
  expect(one?.argv).toEqual(['/bin/g'])
  expect(one?.stdout).toMatchObject({ path: expect.stringMatching(/\/log\/g-a-stdout\.log$/) })
})

test('a program in two groups runs in each, as in supervisord', () => {
  const text = `${program('a')}[group:g]\nprograms=a\n[group:h]\nprograms=a\n`
  expect(names(text)).toEqual(['g:a', 'h:a'])
  expect(sectionsOf(configOf(text, ENV)).programs.map(one => [one.name, one.group])).toEqual([
    ['a', 'g'],
    ['a', 'h'],
  ])
})

test('started group by group, by priority, then as in the file', () => {
  const text = [
    program('late', 'priority = 1000'),
    program('b'),
    program('a'),
    program('c', 'priority = 5'),
    program('first', 'priority = 1'),
    program('n', 'numprocs = 11', 'process_name = n%(process_num)d', 'priority = 2'),
    '[group:g]\nprograms = a,c\npriority = 999\n',
  ].join('')
  const numbered = Array.from({ length: 11 }, (_, at) => `n:n${at}`)
  expect(names(text)).toEqual(['first', ...numbered, 'b', 'g:c', 'g:a', 'late'])
})

test('a program can be scaled when its processes have numbers', () => {
  const [scalable, single] = sectionsOf(
    configOf(
      program(
        'a',
        'process_name = a%(process_num)02d',
        'command = /bin/x %(process_num)d/%(numprocs)d',
      ) + program('b'),
      ENV,
    ),
  ).programs
  if (scalable === undefined || single === undefined) throw new Error('two programs')
  expect([scalable.scalable, single.scalable]).toEqual([true, false])
  expect(processesOf(scalable).map(one => one.name)).toEqual(['a:a00'])
  expect(processesOf(scalable, 3).map(one => [one.name, one.argv[1]])).toEqual([
    ['a:a00', '0/3'],
    ['a:a01', '1/3'],
    ['a:a02', '2/3'],
  ])
  expect(processesOf(scalable, 0)).toEqual([])
  expect(processesOf(single, 5).map(one => one.name)).toEqual(['b'])
})

test('numprocs = 0 is a program without processes', () => {
  expect(names(program('a', 'numprocs = 0'))).toEqual([])
})

test('the programs know where they stand', () => {
  const config = configOf(`; remark\n${program('a')}`, ENV)
  const { file } = config
  const { programs } = sectionsOf(config)
  expect(programs[0]).toMatchObject({ name: 'a', group: 'a', numprocs: 1, file, line: 2 })
})

test.each([
  ['programs = a,z', `cron.ini:4: programs = a,z: there is no [program:z]. did you mean "a"?`],
  [
    'programs = a,something',
    'cron.ini:4: programs = a,something: there is no [program:something]. add that section, or remove the name',
  ],
  ['programs = a,', 'cron.ini:4: programs = a,: has an empty name in it. write for instance a,b'],
  ['programs = a,a', 'cron.ini:4: programs = a,a: names a twice. keep one of them'],
  [
    'programs = %(nope)s',
    'cron.ini:4: programs = %(nope)s: has %(nope)s, which is not known here. known here: %(here)s %(host_node_name)s %(ENV_NAME)s',
  ],
])('a group with %s', (line, message) => {
  expect(wrongText(`${program('a')}[group:g]\n${line}\n`)).toEqual([message])
})

test('names that cannot be told apart are refused', () => {
  const twins = `${program('a', 'process_name = w')}${program('b', 'process_name = w')}`
  expect(wrongText(`${twins}[group:g]\nprograms = a,b\n`)).toEqual([
    expect.stringMatching(
      /^cron\.ini:6: process_name = w: makes a second process called g:w, after \S+cron\.ini:1\. write another process_name$/,
    ),
  ])
  expect(names(twins)).toEqual(['a:w', 'b:w'])
  expect(wrongText(`${program('a')}${program('g')}[group:g]\nprograms = a\n`)).toEqual([
    'cron.ini:3: [program:g]: there is a [group:g] too, and this program is not in it. rename one of them, or add the program to the group',
  ])
})

test.each([
  '[program:]',
  '[program:a b]',
  '[program:a/b]',
  '[program:a:b]',
  `[program:${'a'.repeat(101)}]`,
])('%s is no name', header => {
  const [message = '', ...others] = wrongText(`${header}\ncommand = /bin/x\n`)
  expect(message).toMatch(/has no name|has a blank|is longer than 100 characters/)
  expect(others).toEqual([])
})

test('two sections of one name are one, and the last of one key counts', () => {
  const loaded = load({
    'conf/cron.ini': '[program:a]\ncommand = /bin/x\npriority = 5\n[program:a]\ncommand = /bin/y\n',
  })
  expect(loaded.notes.map(short)).toEqual([
    'cron.ini:4: [program:a]: is already there on line 1: its keys are added, and the last of one name counts. put all its keys into one section',
  ])
  expect(loaded.ok && sectionsOf(loaded.config).processes).toMatchObject([
    { name: 'a', argv: ['/bin/y'], priority: 5 },
  ])
})

test.each(['programs =', 'priority = 1'])('a group with %s has no programs', line => {
  const loaded = load({ 'conf/cron.ini': `${program('a')}[group:g]\n${line}\n` })
  expect(loaded.notes.map(short)).toEqual([
    expect.stringContaining('programs: names no program. name some, or remove the group'),
  ])
  expect(loaded.ok && sectionsOf(loaded.config).processes).toMatchObject([{ name: 'a' }])
})

test('two programs that write one log are told so', () => {
  const [note, ...others] = notesIn(
    `${program('a', 'stdout_logfile = /x.log')}${program('b', 'stderr_logfile = /x.log')}`,
  )
  expect(note).toContain('2 outputs share /x.log')
  expect(others).toEqual([])
})

test('more processes than a machine can run are refused', () => {
  const text = Array.from({ length: 11 }, (_, at) =>
    program(`p${at}`, 'numprocs = 10000', 'process_name = %(process_num)d'),
  ).join('')
  expect(wrongText(text)).toEqual([
    'cron.ini:41: [program:p10]: makes more than 100000 processes. lower numprocs',
  ])
})

test('ten thousand programs load without a wait', () => {
  const text = Array.from({ length: 10_000 }, (_, at) =>
    program(`p${at}`, 'environment = A="%(process_num)d"', 'autorestart = true'),
  ).join('')
  const before = process.cpuUsage()
  expect(processesIn(text)).toHaveLength(10_000)
  const { user, system } = process.cpuUsage(before)
  expect((user + system) / 1000).toBeLessThan(5000)
})
