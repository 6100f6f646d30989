import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseCron } from '../../../src/schedule/cron.ts'
import { nextWall } from '../../../src/schedule/cron-next.ts'
import type { Segment, Zone } from '../../../src/schedule/transitions.ts'
import { nextFixed, nextWild } from '../../../src/schedule/zone.ts'
import { expressionOf, minuteJob } from './arbitraries.ts'
import { cronieRuns } from './cronie.ts'

const MINUTE = 60_000
const HALF_HOUR = 30 * MINUTE
const start = Date.UTC(2026, 5, 10)
const end = start + 48 * 60 * MINUTE

/** Up to four changes within a day, of up to half a day each: worse than any government. */
const changes = fc.array(
  fc.record({ after: fc.integer({ min: 1, max: 12 }), by: fc.integer({ min: -24, max: 24 }) }),
  { minLength: 1, maxLength: 4 },
)

function madeUp(steps: readonly { readonly after: number; readonly by: number }[]): Zone {
  const segments: Segment[] = []
  let from = Number.NEGATIVE_INFINITY
  let until = start
  let offset = 0
  for (const { after, by } of steps) {
    until += after * HALF_HOUR
    segments.push({ start: from, end: until, offset })
    from = until
    offset += by * HALF_HOUR
  }
  segments.push({ start: from, end: Number.POSITIVE_INFINITY, offset })
  return {
    name: 'Made/Up',
    segmentAt: instant => segments.find(one => instant < one.end) ?? { start, end, offset },
  }
}

test('the schedule agrees with cronie however quickly clock changes follow each other', () => {
  let runs = 0
  fc.assert(
    fc.property(minuteJob, changes, fc.integer({ min: 0, max: 600 }), (job, steps, minutes) => {
      const parsed = parseCron(expressionOf(job, false))
      if ('problem' in parsed) return
      const { cron } = parsed
      const zone = madeUp(steps)
      const next = cron.wild ? nextWild : nextFixed
      const after = (instant: number) =>
        next(zone, wall => nextWall(cron, wall), instant) ?? end + 1
      const shown: number[] = []
      for (let at = start; at <= end; at += MINUTE) shown.push(at + zone.segmentAt(at).offset)
      const expected = cronieRuns(job, { start, stepMs: MINUTE, shown })
      const found: number[] = []
      for (let at = after(start - 1); at <= end; at = after(at)) found.push(at)
      runs += expected.length
      expect(found).toEqual(expected)
      const middle = start + minutes * MINUTE
      expect(Math.min(after(middle), end + 1)).toBe(expected.find(run => run > middle) ?? end + 1)
    }),
    { numRuns: 400 },
  )
  expect(runs).toBeGreaterThan(500)
})
