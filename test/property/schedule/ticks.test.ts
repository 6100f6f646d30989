import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseCron } from '../../../src/schedule/cron.ts'
import { catchUp } from '../../../src/schedule/misfire.ts'
import { nextAfter } from '../../../src/schedule/next-times.ts'
import { ticksBetween } from '../../../src/schedule/ticks.ts'
import { expressionOf, minuteJob, secondJob } from './arbitraries.ts'

const HOUR = 3_600_000

const expression = fc
  .oneof(
    minuteJob.map(job => expressionOf(job, false)),
    secondJob.map(job => expressionOf(job, true)),
  )
  .filter(text => 'cron' in parseCron(text))

const trigger = fc.oneof(
  { weight: 4, arbitrary: expression.map(text => ({ kind: 'cron' as const, expression: text })) },
  fc.integer({ min: 1000, max: 90_000 }).map(everyMs => ({ kind: 'interval' as const, everyMs })),
)
const timezone = fc.constantFrom('UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'America/New_York')
/** Around clock changes as often as elsewhere. */
const instant = fc
  .oneof(
    fc.constantFrom('2026-03-29T01:00Z', '2026-10-25T01:00Z', '2026-04-04T15:00Z'),
    fc
      .integer({ min: 1, max: 12 })
      .map(month => `2026-${String(month).padStart(2, '0')}-11T00:00Z`),
  )
  .chain(text => fc.integer({ min: -3 * HOUR, max: 3 * HOUR }).map(by => Date.parse(text) + by))
const length = fc.integer({ min: 0, max: 2 * HOUR })

test('the ticks of two times that meet are the ticks of both together', () => {
  fc.assert(
    fc.property(trigger, timezone, instant, length, length, (trigger, timezone, from, one, two) => {
      const job = { trigger, timezone }
      const whole = ticksBetween(job, from, from + one + two)
      const parts = [
        ...ticksBetween(job, from, from + one),
        ...ticksBetween(job, from + one + 1, from + one + two),
      ]
      expect(parts).toEqual(whole)
      const some = ticksBetween(job, from, from + one + two, 7)
      expect(some).toEqual(whole.slice(0, 7))
    }),
    { numRuns: 500 },
  )
})

test('they are the ticks that the schedule itself would have made', () => {
  fc.assert(
    fc.property(trigger, timezone, instant, length, (trigger, timezone, from, long) => {
      const job = { trigger, timezone }
      const now = from + long
      const due = catchUp({
        cursor: from - 1,
        now,
        misfire: 'all',
        misfireGraceMs: 0,
        maxBackfill: 10_000,
        next: after => nextAfter(trigger, timezone, after),
      })
      expect(ticksBetween(job, from, now)).toEqual(due.run)
    }),
    { numRuns: 500 },
  )
})
