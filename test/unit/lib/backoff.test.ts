import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffDelay } from '../../../src/lib/backoff.ts'

const policy = { baseMs: 1000, factor: 2, capMs: 60_000, jitter: 0.2 }

test('it doubles from the base up to the cap', () => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 8, 100].map(n => backoffDelay(policy, n, 0.5))
  expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
})

test('any attempt, also a senseless one, waits within the jitter around base and cap', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -5, max: 1e9 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (n, random) => {
        const ms = backoffDelay(policy, n, random)
        expect(ms).toBeGreaterThanOrEqual(800)
        expect(ms).toBeLessThanOrEqual(72_000)
      },
    ),
  )
})

test('the jitter reaches both ends, and none is none', () => {
  expect([backoffDelay(policy, 1, 0), backoffDelay(policy, 1, 1)]).toEqual([800, 1200])
  expect(backoffDelay({ ...policy, jitter: 0 }, 3, 0.9)).toBe(4000)
})
