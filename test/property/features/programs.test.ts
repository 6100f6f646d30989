import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { formatProblem } from '../../../src/config/diagnostics.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { KINDS } from '../../../src/features/index.ts'
import { readPairs } from '../../../src/features/programs/pairs.ts'
import { processesOf } from '../../../src/features/programs/processes.ts'
import { PROGRAM } from '../../../src/features/programs/schema.ts'
import { splitWords } from '../../../src/features/programs/shell-words.ts'
import { sectionsOf } from '../../unit/config/load-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'taskd-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function load(text: string) {
  const file = join(folder, 'cron.ini')
  writeFileSync(file, text)
  return loadConfig(
    file,
    { A: 'b c', HOME: '/root' },
    { kinds: KINDS, checkSchedule: () => ({ notes: [] }) },
  )
}

const piece = fc.oneof(
  fc.constantFrom(
    '%',
    '%%',
    '%(',
    '%(process_num)02d',
    '%(program_name)s',
    '%(ENV_A)s',
    '%(ENV_B)s',
  ),
  fc.constantFrom(
    '%(numprocs)3d',
    '%(process_num)-3d',
    '"',
    "'",
    '\\',
    ',',
    '=',
    'B=',
    ' ',
    '#',
    ':',
  ),
  fc.constantFrom('true', 'AUTO', 'syslog', '10', 'MB', '/x', '~', 'TERM', '\n  ', ';', 'a'),
  fc.string({ unit: 'grapheme', maxLength: 3 }),
)
const value = fc.array(piece, { maxLength: 6 }).map(parts =>
  parts
    .join('')
    .replace(/[\r\0]/g, '')
    .toWellFormed(),
)
const key = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...Object.keys(PROGRAM.schema.shape)) },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'programs', 'PRIORITY', '') },
)
const header = fc.constantFrom(
  '[program:x]',
  '[program:y]',
  '[group:g]\nprograms=x,y',
  '[supervisord]',
  '[include]',
  '[eventlistener:x]',
)
const text = fc
  .array(
    fc.tuple(header, fc.array(fc.tuple(key, fc.constantFrom('=', ':'), value), { maxLength: 8 })),
    {
      maxLength: 4,
    },
  )
  .map(sections =>
    sections
      .map(([head, pairs]) =>
        [head, 'command=/bin/x', ...pairs.map(pair => pair.join(''))].join('\n'),
      )
      .join('\n'),
  )

test('no section makes the loader throw, and what is wrong is said in single lines', () => {
  fc.assert(
    fc.property(text, content => {
      const loaded = load(content)
      if (loaded.ok) return
      expect(loaded.problems.length).toBeGreaterThan(0)
      for (const problem of loaded.problems) {
        expect(problem.line).toBeGreaterThan(0)
        expect(problem.message).not.toBe('')
        expect(formatProblem(problem)).not.toContain('\n')
      }
    }),
    { numRuns: 2000 },
  )
})

test('a program that was taken makes any number of processes, with names of their own', () => {
  const perProcess = fc.constantFrom('command', 'environment', 'directory', 'stdout_logfile')
  const lines = fc.array(fc.tuple(perProcess, value), { maxLength: 4 })
  const first = fc.constantFrom(0, 1, 8, 99)
  let taken = 0
  fc.assert(
    fc.property(lines, first, fc.constantFrom(0, 1, 2, 12, 101), (pairs, start, count) => {
      const keys = new Map([['command', '/bin/x'], ...pairs])
      const content = [
        '[program:x]',
        'process_name=w%(process_num)d',
        `numprocs_start=${start}`,
        'numprocs=2',
        ...[...keys].map(pair => pair.join('=')),
      ].join('\n')
      const loaded = load(content)
      if (!loaded.ok) return
      const [program] = sectionsOf(loaded.config).programs
      if (program === undefined) throw new Error('one program')
      taken += 1
      const names = processesOf(program, count).map(one => one.name)
      expect(new Set(names).size).toBe(count)
      for (const one of processesOf(program, count)) expect(one.argv[0]).not.toBe('')
    }),
    { numRuns: 2000 },
  )
  expect(taken).toBeGreaterThan(200)
})

test('words in quotes come back as they were', () => {
  const word = fc.string({ unit: 'grapheme' })
  fc.assert(
    fc.property(fc.array(word), fc.boolean(), (words, single) => {
      const quoted = words.map(one =>
        single ? `'${one.replaceAll("'", `'"'"'`)}'` : `"${one.replace(/["\\]/g, '\\$&')}"`,
      )
      expect(splitWords(quoted.join(' '))).toEqual({ ok: true, value: words })
    }),
  )
})

test('variables in quotes come back as they were', () => {
  // Quotes and backslashes have rules of their own, which differ between versions of supervisord.
  const inner = fc.string({ unit: 'grapheme' }).filter(one => !/["'\\]/.test(one))
  const name = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/)
  fc.assert(
    fc.property(fc.dictionary(name, inner), fc.constantFrom('"', "'"), (pairs, quote) => {
      const written = Object.entries(pairs).map(([key, one]) => `${key}=${quote}${one}${quote}`)
      const read = readPairs(written.join(', '))
      expect(read.ok && Object.fromEntries(read.value)).toEqual(pairs)
    }),
  )
})
