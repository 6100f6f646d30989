import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseCron } from '../../../src/schedule/cron.ts'
import { nextWall } from '../../../src/schedule/cron-next.ts'
import type { Segment, Zone } from '../../../src/schedule/transitions.ts'
import { nextFixed, nextWild } from '../../../src/schedule/zone.ts'
import { expressionOf, minuteJob } from './arbitraries.ts'
import { cronieRuns, type OracleJob } from './cronie.ts'

const MINUTE = 60_000
const HALF_HOUR = 30 * MINUTE
const start = Date.UTC(2026, 5, 10)
const end = start + 48 * 60 * MINUTE

const small = fc.integer({ min: -5, max: 5 })

/** Up to four changes within a day, of up to half a day each: worse than any government. */
const changes = fc.array(
  fc.record({
    after: fc.integer({ min: 1, max: 12 }),
    by: fc.oneof(small, fc.integer({ min: -24, max: 24 })),
  }),
  { minLength: 1, maxLength: 4 },
)

/** Fixed times, and many of them: what tells one pass of an hour from the other. */
const every = { text: '*', matches: () => true }
const dense: OracleJob = {
  fields: [
    { text: '0', matches: n => n === 0 },
    { text: '0-59/7', matches: n => n % 7 === 0 },
    { text: '0-23', matches: () => true },
    every,
    every,
    every,
  ],
}

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
    fc.property(fc.oneof(minuteJob, fc.constant(dense)), changes, (job, steps) => {
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
      // Asked from anywhere in between, as after a restart, the answer is the same.
      const asked = Array.from({ length: 60 }, (_, n) => start + n * 24 * MINUTE)
      const wanted = asked.map(from => expected.find(run => run > from) ?? end + 1)
      expect(asked.map(from => Math.min(after(from), end + 1))).toEqual(wanted)
    }),
    { numRuns: 400 },
  )
  expect(runs).toBeGreaterThan(500)
})
