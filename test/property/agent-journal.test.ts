import {
  array,
  assert,
  constant,
  constantFrom,
  json,
  nat,
  oneof,
  property,
  record,
  string,
} from 'fast-check'
import { expect, test } from 'vitest'
import { fromLine, toLine } from '../../src/agent/journal-lines.ts'

const claim = record({ id: string({ unit: 'grapheme' }), attempt: nat() })
const line = oneof(
  record({ type: constantFrom('claimed' as const, 'sent' as const), claims: array(claim) }),
  record({ type: constant('begun' as const), claim }),
  record({
    type: constant('ended' as const),
    report: record({
      id: string(),
      attempt: nat(),
      kind: constantFrom('finish' as const, 'failed' as const, 'returned' as const),
      msg: string({ unit: 'binary' }),
    }),
  }),
)

test('a line of the journal comes back as it was, and is one line', () => {
  const comesBack = (text: string) => fromLine(text.trimEnd())
  assert(
    property(line, one => {
      const text = toLine(one)
      expect(text.indexOf('\n')).toBe(text.length - 1)
      expect(comesBack(text)).toEqual(one)
    }),
  )
  expect(comesBack('["f","a",1,""]\n')).toBeDefined()
})

test('whatever else stands there is no line or a whole one, and nothing throws', () => {
  assert(
    property(oneof(string(), json()), text => {
      const read = fromLine(text)
      const again = read && fromLine(toLine(read).trimEnd())
      expect(again).toEqual(read)
    }),
  )
  expect(fromLine('["f","a",1]')).toBeUndefined()
})
