import { hostname } from 'node:os'
import { describe, expect, test } from 'vitest'
import { readPairs } from '../../../../src/features/programs/pairs.ts'
import { splitWords } from '../../../../src/features/programs/shell-words.ts'
import { one, processesIn, section, wrong } from './texts.ts'

const argument = (text: string, ...lines: string[]) =>
  one(`command = /bin/x "${text}"`, ...lines).argv[1]

describe('expansions', () => {
  test.each([
    ['%(program_name)s', 'x'],
    ['%(group_name)s', 'x'],
    ['%(host_node_name)s', hostname()],
    ['%(process_num)d', '0'],
    ['%(process_num)02d', '00'],
    ['%(process_num)s', '0'],
    ['%(numprocs)d', '1'],
    ['%(ENV_APP)s', 'shop'],
    ['100%%', '100%'],
    ['%%(process_num)d', '%(process_num)d'],
    ['%(program_name)5s|', '    x|'],
    ['%(program_name)-5s|', 'x    |'],
    ['%(ENV_APP).2s', 'sh'],
    ['80%(process_num)02d', '8000'],
  ])('%s is %s', (text, expected) => {
    expect(argument(text)).toBe(expected)
  })

  test.each([
    ['%(process_num)d', '10'],
    ['%(process_num)03d', '010'],
    ['%(process_num)3d', ' 10'],
    ['%(process_num)-4d|', '10  |'],
    ['%(process_num)+d', '+10'],
    ['%(process_num)x', 'a'],
    ['%(process_num)#X', '0XA'],
    ['%(process_num)#06x', '0x000a'],
    ['%(process_num)o', '12'],
    ['%(process_num).4d', '0010'],
    ['%(process_num)05s|', '   10|'],
    ['%(process_num)i%(process_num)u', '1010'],
  ])('%s of number 10 is %s, as Python prints it', (text, expected) => {
    expect(argument(text, 'numprocs_start = 10')).toBe(expected)
  })

  test('%(here)s is the folder of the file', () => {
    expect(argument('%(here)s')).toMatch(/\/taskd-[^/]+\/conf$/)
  })

  test('each process has its own number, in every key that may differ', () => {
    const specs = processesIn(
      section(
        'command = /bin/x --port=80%(process_num)02d --of=%(numprocs)d',
        'process_name = %(program_name)s-%(process_num)d',
        'numprocs = 2',
        'numprocs_start = 9',
        'environment = N="%(process_num)d"',
        'directory = /srv/%(process_num)d',
        'stdout_logfile = /log/%(process_num)02d.log',
        'stderr_logfile = NONE',
      ),
    )
    expect(
      specs.map(spec => [spec.name, spec.argv, spec.environment, spec.directory, spec.stdout]),
    ).toEqual([
      ['x:x-9', ['/bin/x', '--port=8009', '--of=2'], { N: '9' }, '/srv/9', log('/log/09.log')],
      ['x:x-10', ['/bin/x', '--port=8010', '--of=2'], { N: '10' }, '/srv/10', log('/log/10.log')],
    ])
    function log(path: string): unknown {
      return expect.objectContaining({ path })
    }
  })

  test('a process knows its own variables, and they go before those of the daemon', () => {
    const spec = one(
      'environment = APP="%(ENV_APP)s%(process_num)d",PORT="1"',
      'command = /bin/x %(ENV_APP)s %(ENV_PORT)s',
      'directory = /srv/%(ENV_APP)s',
    )
    expect(spec.environment).toEqual({ APP: 'shop0', PORT: '1' })
    expect([spec.argv, spec.directory]).toEqual([['/bin/x', 'shop0', '1'], '/srv/shop0'])
  })

  test('values that are the same for all processes know the names, too', () => {
    expect(one('user = %(program_name)s', 'priority = 1').user).toBe('x')
    expect(wrong('stopwaitsecs = %(process_num)d')).toEqual([
      'cron.ini:3: stopwaitsecs = %(process_num)d: has %(process_num)s, which is not known here. write the same value for all processes of the section',
    ])
  })

  const known =
    'known here: %(group_name)s %(here)s %(host_node_name)s %(numprocs)s %(process_num)s %(program_name)s %(ENV_NAME)s'
  test.each([
    ['%(nope)s', `has %(nope)s, which is not known here. ${known}`],
    [
      '%(proces_num)d',
      `has %(proces_num)s, which is not known here. did you mean %(process_num)s? ${known}`,
    ],
    ['%(ENV_AP)s', 'has %(ENV_AP)s, which is not known here. did you mean %(ENV_APP)s?'],
    [
      '%(ENV_QUITE_ELSE)s',
      'has %(ENV_QUITE_ELSE)s, which is not known here. set QUITE_ELSE where the daemon is started, or write the value itself',
    ],
    ['50%', 'has a % that stands for nothing. write %% for a percent sign'],
    ['%d', 'has a % that stands for nothing. write %% for a percent sign'],
    ['%(process_num)', 'has a % that stands for nothing. write %% for a percent sign'],
    ['%(program_name)d', 'cannot expand %(program_name)d. write %(program_name)s'],
    ['%(process_num)f', 'cannot expand %(process_num)f. write %(process_num)02d'],
    ['%(process_num)999d', 'makes %(process_num) wider than 100. write a smaller width'],
    [
      '%(ENV___proto__)s',
      'has %(ENV___proto__)s, which is not known here. set __proto__ where the daemon is started, or write the value itself',
    ],
  ])('%s is a mistake', (text, message) => {
    expect(wrong(`command = /bin/x ${text}`)).toEqual([
      `cron.ini:2: command = /bin/x ${text}: ${message}`,
    ])
  })

  test('a mistake shows no value of the environment', () => {
    const [message] = wrong('command = /bin/x %(ENV_DB_PASSWORD)s "open')
    expect(message).toContain('has a quote " that does not end')
    expect(message).not.toContain('geheim')
  })
})

test.each<[string, readonly string[]]>([
  ['a b\tc\n d', ['a', 'b', 'c', 'd']],
  ['a "b  c" d', ['a', 'b  c', 'd']],
  [`a 'b "c"' ""`, ['a', 'b "c"', '']],
  ['a"b c"d\' e\'', ['ab cd e']],
  ['a\\ b \\"c \\\\', ['a b', '"c', '\\']],
  ['"a\\"b\\\\c\\d\\$"', ['a"b\\c\\d\\$']],
  ["'a\\b'", ['a\\b']],
  ['a#b #c $D > e | f; g', ['a#b', '#c', '$D', '>', 'e', '|', 'f;', 'g']],
  ['a \\\n b', ['a', '\n', 'b']],
  ['  ', []],
  ['', []],
])('the words of %j', (text, words) => {
  expect(splitWords(text)).toEqual({ ok: true, value: words })
})

test.each([
  ['a "b', 'has a quote " that does not end'],
  ["a 'b", "has a quote ' that does not end"],
  ['"a\\"', 'has a quote " that does not end'],
  ['a\\', 'ends with a backslash'],
])('no words are in %j', (text, reason) => {
  expect(splitWords(text)).toMatchObject({ ok: false, reason })
})

test.each<[string, Record<string, string>]>([
  ['', {}],
  ['A="x",B=y', { A: 'x', B: 'y' }],
  ['A=\'a,b\',C="d,e"', { A: 'a,b', C: 'd,e' }],
  ['A = 1 , B = 2', { A: '1', B: '2' }],
  ['A=1,', { A: '1' }],
  ['A="x\ny",\nB=2', { A: 'x\ny', B: '2' }],
  ['A="",B=""', { A: '', B: '' }],
  ['A=http://h:80/p-q.r+s(t)', { A: 'http://h:80/p-q.r+s(t)' }],
  ['A=1,A=2', { A: '2' }],
  ['A-b.c=1', { 'A-b.c': '1' }],
  // Up to 4.3 a backslash is a plain character, and all outer quotes go.
  ['A="x\\",B="y"', { A: 'x\\', B: 'y' }],
  ['A="x\\\\y"', { A: 'x\\\\y' }],
  ['A="\'x\'"', { A: 'x' }],
  ["A=don't,B=x", { A: "don't", B: 'x' }],
  // From 4.4 on \" is a quote.
  ['A="a\\"b"', { A: 'a"b' }],
  ['A="{\\"k\\":\\"v\\"}",B=1', { A: '{"k":"v"}', B: '1' }],
])('the pairs of %j', (text, pairs) => {
  const read = readPairs(text)
  expect(read.ok ? Object.fromEntries(read.value) : read.reason).toEqual(pairs)
})

test.each([
  ['A', 'has a part without ='],
  ['A=', 'has no value after A='],
  ['A=,B=1', 'has no value after A='],
  ['A=1 B=2', 'has "B" after the value of A'],
  ['A=1,,B=2', 'has a part without ='],
  ['=1', '"" is not a name for a variable'],
  ['A=a#b', 'has "#" after the value of A'],
  ['A=50%', 'has "%" after the value of A'],
  ['A="x"y', 'has "y" after the value of A'],
  ['A="x', 'has a quote that does not end after A='],
  ['"A"=x', '"\\"A\\"" is not a name for a variable'],
])('no pairs are in %j', (text, reason) => {
  expect(readPairs(text)).toMatchObject({ ok: false, reason })
})
