import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { formatProblem, Report } from '../../../src/config/diagnostics.ts'
import { readIni } from '../../../src/config/read-ini.ts'
import { headerOf } from '../../../src/config/section.ts'
import { KINDS } from '../../../src/features/index.ts'

function scan(text: string) {
  const report = new Report(KINDS)
  const sections = readIni(text, 'x.ini', report).map(section => [
    headerOf(section),
    Object.fromEntries([...section.entries.values()].map(({ name, value }) => [name, value])),
  ])
  return { sections, problems: report.problems().map(formatProblem) }
}

/** The value of a line in a job's section. */
function value(line: string): unknown {
  const { sections, problems } = scan(`[a]\nk${line}`)
  expect(problems).toEqual([])
  return (sections[0]?.[1] as Record<string, string> | undefined)?.['k']
}

describe('lines', () => {
  test('sections, keys and values keep their order and lose the blanks around them', () => {
    const { sections, problems } = scan('[ a ]\n k = v \nx=\n\n[queue: b]\nmode\t=\tsync')
    expect(problems).toEqual([])
    expect(sections).toEqual([
      ['[a]', { k: 'v', x: '' }],
      ['[queue:b]', { mode: 'sync' }],
    ])
  })

  test.each(['; x', '# x', '// x', '  ; x', ';k=v', '#[b]'])('%j is a remark', line => {
    expect(scan(`[a]\n${line}\nk=v`)).toEqual({ sections: [['[a]', { k: 'v' }]], problems: [] })
  })

  test.each(['[a] ; r', '[a] # r', '[a]// r', '  [a]  '])('%j is a header', line => {
    expect(scan(line)).toEqual({ sections: [['[a]', {}]], problems: [] })
  })

  test.each(['\r\n', '\n', '\r'])('lines may end with %j', end => {
    const { sections } = scan(['[a]', 'k=v', '', 'l=w', ''].join(end))
    expect(sections).toEqual([['[a]', { k: 'v', l: 'w' }]])
  })

  test('keys before the first header are the job called default', () => {
    expect(scan('k=v\n[a]\nl=w').sections).toEqual([
      ['[default]', { k: 'v' }],
      ['[a]', { l: 'w' }],
    ])
  })
})

describe('values', () => {
  test.each([
    ['= v // r', 'v'],
    ['= v ; r', 'v'],
    ['= v # r', 'v'],
    ['=v\t//r', 'v'],
    ['=v\u3000// r', 'v'],
    ['=   // r', ''],
    ['= ; r', ''],
    ['=//x', '//x'],
    ['=http://x/y', 'http://x/y'],
    ['=a;b', 'a;b'],
    ['=a#b', 'a#b'],
    ['=a=1//b', 'a=1//b'],
    ['=a%5B%5D=1&b=c+d', 'a%5B%5D=1&b=c+d'],
    ['=1 * * * 5#3 # r', '1 * * * 5#3'],
    ['=a / b', 'a / b'],
  ])('k%s', (line, expected) => {
    expect(value(line)).toBe(expected)
  })

  test.each([
    ['="v // w"', 'v // w'],
    ['= "  v  " // r', '  v  '],
    ['="a \\"b\\" \\\\ c"', 'a "b" \\ c'],
    ['=""', ''],
    ['="a\\n"', 'a\\n'],
    ['="a" and "b ; c" ; r', '"a" and "b ; c"'],
    ['="a"b"', '"a"b"'],
    [`='v // w' // r`, `'v // w'`],
    ['={"a":"x // y","b":"\\" # z"} // r', '{"a":"x // y","b":"\\" # z"}'],
    ['=A="x ; y",B=z ; r', 'A="x ; y",B=z'],
    [`=don't // it's`, "don't"],
    ['=5" // r', '5"'],
    ['="open // r', '"open'],
    [`='open # r`, "'open"],
  ])('quotes: k%s', (line, expected) => {
    expect(value(line)).toBe(expected)
  })
})

const program = (...lines: string[]) => scan(['[program:x]', ...lines].join('\n')).sections[0]?.[1]

describe('lines that continue the one above', () => {
  test('are deeper indented, in the sections of Supervisor', () => {
    expect(
      program('environment =', '  A="1",', '  ; remark', '', '  B="2" ; remark', 'k=v'),
    ).toEqual({ environment: 'A="1",\nB="2"', k: 'v' })
    expect(scan('[include]\nfiles = a.ini\n  b.ini').sections).toEqual([
      ['[include]', { files: 'a.ini\nb.ini' }],
    ])
  })

  test('may hold a = or look like a header', () => {
    expect(program('command = sh -c', '  a=1', '  [b]')).toEqual({ command: 'sh -c\na=1\n[b]' })
  })

  test('are not lines of a section that is indented as a whole', () => {
    expect(program('  command = a', '  directory = /b')).toEqual({ command: 'a', directory: '/b' })
  })

  test('do not exist in jobs', () => {
    expect(scan('[a]\nk = v\n   l = w').sections).toEqual([['[a]', { k: 'v', l: 'w' }]])
    expect(scan('[a]\nk = v\n   more').problems).toEqual([
      'x.ini:3: more: is neither [section] nor key = value. write key = value, or begin a remark with ;',
    ])
  })

  test('keep the quotes of a program, which are its own language', () => {
    expect(program('command = "/a b/c"')).toEqual({ command: '"/a b/c"' })
  })
})

describe('mistakes', () => {
  test.each([
    ['[a', 'x.ini:1: [a: has no closing ]. write a header as [name]'],
    ['[]', 'x.ini:1: []: has no name. write a header as [name]'],
    ['[a] k=v', 'x.ini:1: [a]: has text after the ]. put keys on lines of their own'],
    ['= v', 'x.ini:1: = v: has no key before the =. write key = value, or begin a remark with ;'],
  ])('%j', (text, problem) => {
    expect(scan(text).problems).toEqual([problem])
  })

  test('keys below a broken header are not taken for those of the section above', () => {
    const { sections, problems } = scan('[a]\nk=v\n[b\nk=w\n[c]\nk=x')
    expect(sections).toEqual([
      ['[a]', { k: 'v' }],
      ['[c]', { k: 'x' }],
    ])
    expect(problems).toHaveLength(1)
  })

  test('a key that is set twice is reported with both lines', () => {
    expect(scan('[a]\nk=v\n\nk=w').problems).toEqual([
      'x.ini:4: k = w: is already set in [a] on line 2. keep line 2 or line 4',
    ])
  })

  test('after a hundred lines of nonsense the rest is left out, and that is said', () => {
    const { problems } = scan('nonsense\n'.repeat(5000))
    expect(problems).toHaveLength(101)
    expect(problems.at(-1)).toBe(
      'x.ini:101: more than 100 lines cannot be read; the rest was left out. is this an INI file?',
    )
  })
})

test('more sections than anybody writes are refused', () => {
  const { problems } = scan(Array.from({ length: 100_001 }, (_, i) => `[a${i}]`).join('\n'))
  expect(problems).toEqual([
    'x.ini:100001: [a100000]: is one of more than 100000 sections. use fewer',
  ])
})

test('the shipped sample has no line that cannot be read', () => {
  const { problems } = scan(readFileSync('conf/cron.ini', 'utf8'))
  expect(problems).toEqual([])
})
