import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonText, readExactly, stringify } from '../../src/lib/json-text.ts'
import { findAnswer } from '../../src/model/answer.ts'

/** Not what itself begins like an answer. */
const text = fc
  .string({
    unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', ' ', '\n', 'a', '1', 'é'),
    maxLength: 60,
  })
  .filter(one => !/"(?:code|msg|data)/.test(one))
const answer = fc.record(
  {
    code: fc.oneof(fc.constantFrom('succ', 'fail'), fc.string(), fc.integer(), fc.boolean()),
    msg: fc.string(),
    data: fc.jsonValue(),
  },
  { requiredKeys: ['code'] },
)
const spaces = fc.constantFrom(0, 1, 2, 4)
const tail = fc.constantFrom('', '\n', '\r\n', ' \n\n')

test('an answer is the same, glued or pretty-printed, behind any text', () => {
  fc.assert(
    fc.property(text, answer, spaces, tail, (prefix, said, space, end) => {
      const alone = findAnswer({ stdout: JSON.stringify(said) })
      expect(alone).toMatchObject({ type: 'answer', answer: { code: String(said.code) } })
      expect(findAnswer({ stdout: prefix + JSON.stringify(said, undefined, space) + end })).toEqual(
        findAnswer({ stdout: JSON.stringify(said, undefined, space) }),
      )
    }),
    { numRuns: 3000 },
  )
})

test('an answer that is cut is never taken for silence', () => {
  fc.assert(
    fc.property(
      text,
      answer,
      spaces,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (prefix, said, space, share) => {
        const whole = JSON.stringify(said, undefined, space)
        const begun = whole.indexOf('"') + 1
        const end = begun + Math.floor(share * (whole.trimEnd().length - begun))
        fc.pre(end < whole.length)
        expect(findAnswer({ stdout: prefix + whole.slice(0, end) })).toMatchObject({
          type: 'broken',
        })
      },
    ),
    { numRuns: 3000 },
  )
})

const number = fc.oneof(
  fc.bigInt().map(String),
  fc.integer().map(String),
  fc.double({ noDefaultInfinity: true, noNaN: true }).map(value => value.toFixed(3)),
)

test('numbers keep every digit', () => {
  fc.assert(
    fc.property(fc.array(number), fc.string(), (numbers, key) => {
      const data = `{${JSON.stringify(key)}:[${numbers.join(', ')}]}`
      const value = readExactly(data)
      const written = stringify({ data: value })
      const plain = value instanceof JsonText ? data : JSON.stringify(JSON.parse(data))
      expect(written).toBe(`{"data":${plain}}`)
      for (const digits of numbers) expect(written).toContain(digits)
    }),
    { numRuns: 3000 },
  )
})

test('an answer survives whatever it is stored as', () => {
  fc.assert(
    fc.property(answer, number, (said, digits) => {
      const stdout = stringify({ ...said, data: new JsonText(digits) })
      const found = findAnswer({ stdout })
      if (found.type !== 'answer') throw new Error(stdout)
      expect(stringify(found.answer.data)).toBe(digits)
    }),
    { numRuns: 1000 },
  )
})
