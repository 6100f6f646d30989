import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { stringify } from 'ini'
import { afterAll, expect, test } from 'vitest'
import { formatProblem, Report } from '../../../src/config/diagnostics.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { readIni } from '../../../src/config/read-ini.ts'
import { headerOf, readHeader } from '../../../src/config/section.ts'
import { KINDS } from '../../../src/features/index.ts'
import { formatDuration, parseDuration } from '../../../src/lib/duration.ts'

const folder = mkdtempSync(join(tmpdir(), 'taskd-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** One line of anything, with the characters that mean something to the scanner in front. */
const line = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom('"', "'", '\\', ';', '#', '/', '//', ' ', '\t', '=', '[', ']', '%', '&', 'a'),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
    ),
    maxLength: 40,
  })
  .map(text => text.replace(/[\r\n\0]/g, '').toWellFormed())

const key = fc.stringMatching(/^[a-z][a-z_0-9]{0,15}$/)

/** How docs/configuration.md says to write a value that must arrive as it is. */
const quoted = (value: string) => `"${value.replace(/["\\]/g, '\\$&')}"`

test('any value arrives as it is when it is written in quotes, with a remark behind it', () => {
  fc.assert(
    fc.property(fc.dictionary(key, line, { minKeys: 1 }), fc.boolean(), (values, windows) => {
      const lines = Object.entries(values).map(([name, value]) => `${name} = ${quoted(value)} // r`)
      const text = ['[job]', ...lines].join(windows ? '\r\n' : '\n')
      const report = new Report(KINDS)
      const [section] = readIni(text, 'x.ini', report)
      const read = [...(section?.entries.values() ?? [])].map(one => [one.name, one.value])
      expect(report.problems()).toEqual([])
      expect(read).toEqual(Object.entries(values))
    }),
    { numRuns: 2000 },
  )
})

test('a value without blanks and outer quotes arrives as it is without any ceremony', () => {
  const plain = line
    .map(text => text.replace(/\s/g, ''))
    .filter(text => !text.startsWith('"') && !/\\[;#]/.test(text))
  fc.assert(
    fc.property(plain, value => {
      const report = new Report(KINDS)
      const [section] = readIni(`[job]\nparam=${value}   // r\n`, 'x.ini', report)
      expect(report.problems()).toEqual([])
      expect(section?.entries.get('param')?.value).toBe(value)
    }),
    { numRuns: 5000 },
  )
})

/**
 * What both languages have. Ours ends a value at ` //` as well, and knows of the escapes of JSON, in
 * which `ini` puts quoted values, only `\"` and `\\`.
 */
const common = line.filter(text => !/(^|\s)\/\//.test(text) && !/\p{Cc}/u.test(text))

test.each([false, true])('what the package ini writes is read back (blanks: %s)', whitespace => {
  const section = key.filter(name => readHeader(name, new Set()).kind === 'job')
  const written = fc.dictionary(section, fc.dictionary(key, common, { minKeys: 1 }), { minKeys: 1 })
  fc.assert(
    fc.property(written, sections => {
      const report = new Report()
      const read = readIni(stringify(sections, { whitespace }), 'x.ini', report).map(
        ({ name, entries }) => [name, [...entries.values()].map(one => [one.name, one.value])],
      )
      expect(report.problems()).toEqual([])
      expect(read).toEqual(
        Object.entries(sections).map(([name, keys]) => [name, Object.entries(keys)]),
      )
    }),
    { numRuns: 2000, examples: [[{ job: { param: 'a;b #c', function: ';', controller: '\\;' } }]] },
  )
})

test('sections, keys and lines are found where they were written', () => {
  const sections = fc.uniqueArray(fc.tuple(key, fc.uniqueArray(key, { minLength: 1 })), {
    selector: ([name]) => name,
  })
  fc.assert(
    fc.property(sections, fc.constantFrom('', '; r', '  '), (written, between) => {
      const lines: string[] = []
      const expected = written.map(([name, keys]) => {
        const header = lines.push(between, `[${name}]`)
        return [`[${name}]`, header, keys.map(one => [one, lines.push(between, `${one} = x`)])]
      })
      const report = new Report(KINDS)
      const read = readIni(lines.join('\n'), 'x.ini', report).map(section => [
        headerOf(section),
        section.place.line,
        [...section.entries.values()].map(one => [one.name, one.line]),
      ])
      expect(report.problems()).toEqual([])
      // A job called taskd or include is another kind of section with the same header.
      expect(read).toEqual(expected)
    }),
  )
})

test('no file makes the loader throw, and what is wrong is said in single lines', () => {
  const file = join(folder, 'cron.ini')
  const known = fc.constantFrom(
    '[a]',
    '[taskd]',
    '[queue:x]',
    '[program:y]',
    '[include]',
    '[',
    '__proto__=x',
    'files=*',
    'task_key=sync_tasks',
    'run_time=@every 5',
    'script=/a',
    'mode=pull',
    'rate=1/0',
    'http=::',
    'environment=A="',
    'timezone=\u0000',
    'redis=sentinel://',
    'database=mysql://@',
    '\uFEFF',
  )
  const text = fc
    .array(
      fc.oneof(
        known,
        line,
        fc.tuple(key, line).map(pair => pair.join('=')),
      ),
    )
    .map(lines => Buffer.from(lines.join('\n')))
  const bytes = fc.uint8Array({ maxLength: 2000 }).map(array => Buffer.from(array))
  fc.assert(
    fc.property(fc.oneof(text, bytes), content => {
      writeFileSync(file, content)
      const loaded = loadConfig(file, {}, { kinds: KINDS, checkSchedule: () => ({ notes: [] }) })
      if (loaded.ok) return
      expect(loaded.problems.length).toBeGreaterThan(0)
      for (const problem of loaded.problems) expect(formatProblem(problem)).toMatch(/^[^\r\n]+$/)
    }),
    { numRuns: 2000 },
  )
})

test('durations are read back as they are written', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 36_500 * 86_400_000 }), ms => {
      expect(parseDuration(formatDuration(ms))).toEqual({ ok: true, value: ms })
    }),
  )
})
