import { dirname, join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { listOf, parseArgs, wrongFunctionName } from '../../src/model/function-call.ts'

/** As JSON has it: minus zero is zero there. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

test('whatever values are written with commas between, and blanks around, come back as they were', () => {
  const blank = fc.constantFrom('', ' ', '\n', '\t ')
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 6 }), blank, (values, space) => {
      const text = values.map(value => space + JSON.stringify(value) + space).join(',')
      expect(parseArgs(text)).toEqual({ ok: true, value: plain(values) })
    }),
  )
})

test('any text is a list of values or refused, and never more or less than what it says', () => {
  const shards = fc.constantFrom(
    '1',
    ',',
    '[',
    ']',
    '{',
    '}',
    '"',
    'a',
    ':',
    ' ',
    'null',
    '\\',
    '],[',
  )
  fc.assert(
    fc.property(fc.array(shards, { maxLength: 12 }), parts => {
      const text = parts.join('')
      const args = parseArgs(text)
      if (!args.ok) return
      // Each value alone is JSON too: nothing has crept out of the list.
      const again = args.value.map(value => JSON.stringify(value)).join(',')
      expect(parseArgs(again)).toEqual(args)
    }),
    { numRuns: 2000 },
  )
  expect(listOf('')).toBe('[]')
  for (const text of ['1,', ',', '1],[2', 'guess', '{', '1 2', "'x'", 'NaN'])
    expect(parseArgs(text)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('write JSON'),
    })
})

test('a name that is taken is one file in its folder and nothing else', () => {
  const parts = fc.constantFrom('.', '..', '/', '\\', 'a', 'b-c', '\0', '\n', 'é', ' ')
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 6 }), pieces => {
      const name = pieces.join('')
      if (wrongFunctionName(name) !== undefined) return
      const file = join('/tasks/cron', `${name}.js`)
      expect(dirname(file)).toBe('/tasks/cron')
      expect(name).not.toMatch(/[/\\\0]|^\.|^$/)
    }),
  )
})
