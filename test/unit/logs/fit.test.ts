import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Filled, fit, SLACK_BYTES } from '../../../src/logs/fit.ts'

const buffers = (...texts: string[]) => texts.map(text => Buffer.from(text))
const of = (file: Partial<Filled>, ...texts: string[]) => {
  const chunks = buffers(...texts)
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  return fit(chunks, total, { size: 0, maxBytes: 10, midLine: false, ...file })
}

describe('what of the waiting bytes goes into a file', () => {
  test('all of them, up to the last byte of room', () => {
    expect(of({ size: 4 }, 'abc\n', 'd\n')).toEqual({ bytes: 6, rotate: false })
  })

  test('the lines that fit, then it is rotated', () => {
    expect(of({ size: 4 }, 'abc\n', 'de\n')).toEqual({ bytes: 4, rotate: true })
    expect(of({}, 'ab\ncd\nef\n12')).toEqual({ bytes: 9, rotate: true })
    expect(of({}, 'ab', '\nc', 'd\nef', 'gh\ni')).toEqual({ bytes: 6, rotate: true })
  })

  test('none, when not even one line fits behind others', () => {
    expect(of({ size: 8 }, 'abc\n')).toEqual({ bytes: 0, rotate: true })
    expect(of({ size: 12 }, 'a\n')).toEqual({ bytes: 0, rotate: true })
  })

  test('a line longer than a file may be is cut', () => {
    expect(of({}, 'abcdefghijkl\n')).toEqual({ bytes: 10, rotate: false })
  })

  test('the rest of a line that was begun goes to the same file, over the limit', () => {
    expect(of({ size: 9, midLine: true }, 'abc', 'd\nx\n')).toEqual({ bytes: 5, rotate: true })
    expect(of({ size: 9, midLine: true }, 'abcd')).toEqual({ bytes: 4, rotate: false })
    expect(of({ size: 12, midLine: true }, 'abcd\n')).toEqual({ bytes: 5, rotate: true })
  })

  test('but not a rest without end', () => {
    const long = 'x'.repeat(30)
    expect(of({ size: 9, midLine: true }, long)).toEqual({ bytes: 1, rotate: true })
    expect(of({ size: 20, midLine: true }, long)).toEqual({ bytes: 0, rotate: true })
  })
})

test('it always goes on, and never over the limit by more than the slack', () => {
  const chunk = fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(
      fc.array(chunk, { minLength: 1, maxLength: 6 }),
      fc.nat(60),
      fc.integer({ min: 1, max: 40 }),
      fc.boolean(),
      (texts, size, maxBytes, midLine) => {
        const chunks = buffers(...texts)
        const total = texts.join('').length
        const { bytes, rotate } = fit(chunks, total, { size, maxBytes, midLine })
        expect(bytes).toBeLessThanOrEqual(total)
        expect(bytes > 0 || (rotate && size > 0) || (rotate && midLine)).toBe(true)
        const most = maxBytes + Math.min(SLACK_BYTES, maxBytes)
        expect(bytes === 0 || size + bytes <= most).toBe(true)
        // A line at whose begin it is rotated was not cut, unless it is too long for any file.
        const head = texts.join('').slice(0, bytes)
        expect(!rotate || bytes === 0 || midLine || head.endsWith('\n')).toBe(true)
      },
    ),
    { numRuns: 5000 },
  )
})
