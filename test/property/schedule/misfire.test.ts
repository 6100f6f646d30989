import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { catchUp } from '../../../src/schedule/misfire.ts'

/** What the policies mean, said the long way. */
function naive(
  ticks: readonly number[],
  now: number,
  misfire: 'skip' | 'once' | 'all',
  grace: number,
  most: number,
) {
  const missed = ticks.filter(tick => tick < now - grace)
  const onTime = ticks.filter(tick => tick >= now - grace && tick <= now)
  const wanted = misfire === 'skip' ? 0 : misfire === 'once' ? Math.min(1, most) : most
  const made = wanted === 0 ? [] : missed.slice(-wanted)
  return { run: [...made, ...onTime], skipped: missed.length - made.length }
}

test('the policies hold for any set of ticks, however unevenly they lie', () => {
  const gaps = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 1e9 })),
    {
      maxLength: 60,
    },
  )
  fc.assert(
    fc.property(
      gaps,
      fc.double({ min: 0, max: 1.1, noNaN: true }),
      fc.constantFrom('skip', 'once', 'all'),
      fc.oneof(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: 1e9 })),
      fc.integer({ min: 0, max: 70 }),
      (steps, share, misfire, misfireGraceMs, maxBackfill) => {
        const ticks: number[] = []
        for (const step of steps) ticks.push((ticks.at(-1) ?? 0) + step)
        const now = Math.round((ticks.at(-1) ?? 1000) * share)
        const next = (after: number) => ticks.find(tick => tick > after)
        const due = catchUp({ cursor: 0, now, misfire, misfireGraceMs, maxBackfill, next })
        const expected = naive(ticks, now, misfire, misfireGraceMs, maxBackfill)
        expect({ run: due.run, skipped: due.skipped }).toEqual(expected)
        expect(due.cursor).toBe(ticks.findLast(tick => tick <= now) ?? 0)
      },
    ),
    { numRuns: 3000 },
  )
})

test('the latest ticks are found by jumping exactly as by walking', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 0, max: 10_000 }),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 0, max: 5000 }),
      (everyMs, phase, maxBackfill, extra) => {
        const next = (after: number) =>
          (Math.floor((after - phase) / everyMs) + 1) * everyMs + phase
        const now = everyMs * 20_000 + extra
        const due = catchUp({
          cursor: 0,
          now,
          misfire: 'all',
          misfireGraceMs: 0,
          maxBackfill,
          next,
        })
        const latest = Math.floor((now - 1 - phase) / everyMs) * everyMs + phase
        const made = due.run.filter(tick => tick < now)
        expect(made).toEqual(
          Array.from({ length: maxBackfill }, (_, n) => latest - (maxBackfill - 1 - n) * everyMs),
        )
        expect(due.skippedMore).toBe(true)
      },
    ),
    { numRuns: 100 },
  )
})
