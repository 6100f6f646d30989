import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { KEPT_BYTES, Tail } from '../../src/workers/output.ts'

const chunks = fc.array(
  fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)),
  {
    maxLength: 60,
  },
)

/** Characters of one to four bytes. */
const unit = fc.constantFrom('a', '\n', 'é', '字', '😀')
const text = fc.string({ unit, maxLength: 400 })

test('what is kept is the end of what came, however it was cut', () => {
  fc.assert(
    fc.property(chunks, fc.integer({ min: 1, max: 64 }), (parts, limit) => {
      const tail = new Tail(limit)
      for (const part of parts) tail.push(part)
      const all = Buffer.concat(parts)
      expect(tail.total).toBe(all.length)
      let end = all.subarray(-limit)
      // What can only be the rest of a cut character is left out in front.
      for (let n = 0; n < 3 && ((end[0] ?? 0) & 0xc0) === 0x80; n += 1) end = end.subarray(1)
      expect(tail.toString()).toBe(end.toString('utf8'))
    }),
    { numRuns: 3000 },
  )
})

test('no character of a text is broken, wherever it is cut into chunks', () => {
  fc.assert(
    fc.property(
      text,
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 4, max: 300 }),
      (given, size, limit) => {
        const tail = new Tail(limit)
        const bytes = Buffer.from(given)
        for (let at = 0; at < bytes.length; at += size) tail.push(bytes.subarray(at, at + size))
        const kept = tail.toString()
        expect(kept).not.toContain('\uFFFD')
        expect(given.endsWith(kept)).toBe(true)
        expect(Buffer.byteLength(kept)).toBeGreaterThan(Math.min(limit, bytes.length) - 4)
      },
    ),
    { numRuns: 2000 },
  )
})

test('it can be read in between, and goes on', () => {
  const tail = new Tail(5)
  tail.push(Buffer.from('abc'))
  expect([tail.toString(), tail.toString()]).toEqual(['abc', 'abc'])
  tail.push(Buffer.from('defg'))
  expect([tail.toString(), tail.total]).toEqual(['cdefg', 7])
})

test('a million small chunks leave no more than what is kept', () => {
  const tail = new Tail()
  const chunk = Buffer.from('0123456789')
  for (let n = 0; n < 1_000_000; n += 1) tail.push(chunk)
  expect(tail.total).toBe(10_000_000)
  expect(tail.toString()).toHaveLength(KEPT_BYTES)
})
