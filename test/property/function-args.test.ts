import { dirname, join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { readFunctionArgs } from '../../src/model/function-args.ts'
import { wrongFunctionName } from '../../src/model/function-call.ts'

/** Its values and its words, or undefined where it is refused. */
function argsOf(text: string) {
  const read = readFunctionArgs(text)
  if (!read.ok) return undefined
  return { values: JSON.parse(read.value.list) as unknown[], words: read.value.words }
}

/** As JSON has it: minus zero is zero there. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

test('whatever values are written with commas between, and blanks around, come back as they were', () => {
  const blank = fc.constantFrom('', ' ', '\n', '\t ')
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 6 }), blank, (values, space) => {
      const text = values.map(value => space + JSON.stringify(value) + space).join(',')
      expect(argsOf(text)).toEqual({ values: plain(values), words: [] })
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
      const args = argsOf(text)
      if (!args) return
      // Each value alone is JSON too: nothing has crept out of the list.
      const again = args.values.map(value => JSON.stringify(value)).join(',')
      expect(argsOf(again)).toEqual({ ...args, words: [] })
    }),
    { numRuns: 2000 },
  )
  for (const text of ['1,', ',', '1],[2', '{', '"x', '1,,2', 'a"b', '["a",b', 'guess,', 'a\nb'])
    expect(readFunctionArgs(text)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('write for instance 1,2,3 or "guess","hello" or guess,hello'),
    })
})

test.each([
  ['', [], []],
  ['guess,hello', ['guess', 'hello'], ['guess', 'hello']],
  [' guess , 1,"a,b" ,null', ['guess', 1, 'a,b', null], ['guess']],
  [
    '2026-11-30 08:00:00,/srv/x,007',
    ['2026-11-30 08:00:00', '/srv/x', '007'],
    ['2026-11-30 08:00:00', '/srv/x', '007'],
  ],
  ['字段,{"a":[1,2]},True', ['字段', { a: [1, 2] }, 'True'], ['字段', 'True']],
] as const)('bare words are texts: %j', (text, values, words) => {
  const read = argsOf(text)
  expect(read?.values).toEqual(values)
  expect(read?.words).toEqual(words)
  // Numbers keep their digits also beside words.
  expect(readFunctionArgs('a,1234567890123456789')).toMatchObject({
    value: { list: '["a",1234567890123456789]' },
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
