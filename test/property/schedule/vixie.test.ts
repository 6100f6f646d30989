import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseCron } from '../../../src/schedule/cron.ts'
import { nextAfter } from '../../../src/schedule/next-times.ts'
import { expressionOf, minuteJob, secondJob } from './arbitraries.ts'
import { clockChanges, cronieRuns, type OracleJob, trace } from './cronie.ts'

const HOUR = 3_600_000
/** Where in a window to ask; the clock change is in the middle. */
const SHARES = [0.35, 0.5, 0.53, 0.56, 0.62]
const ZONES = Intl.supportedValuesOf('timeZone')

function firesIn(expression: string, zone: string, from: number, to: number): number[] {
  const found: number[] = []
  let after = from - 1
  for (;;) {
    const at = nextAfter({ kind: 'cron', expression }, zone, after)
    if (at === undefined || at > to) return found
    if (at <= after) throw new Error(`${expression} in ${zone} went back from ${after} to ${at}`)
    found.push(at)
    after = at
  }
}

/** Draws jobs until `count` of them can fire at all. */
function valid(jobs: fc.Arbitrary<OracleJob>, count: number, withSeconds: boolean): OracleJob[] {
  return fc
    .sample(jobs, count * 2)
    .filter(job => 'cron' in parseCron(expressionOf(job, withSeconds)))
    .slice(0, count)
}

function some<T>(all: readonly T[], count: number): T[] {
  const picks = fc.sample(fc.nat(), Math.min(count, all.length))
  return picks.flatMap(pick => all[pick % all.length] ?? [])
}

function compare(
  zone: string,
  jobs: readonly OracleJob[],
  from: number,
  to: number,
  stepMs: number,
): number {
  const clock = trace(zone, from, to, stepMs)
  let runs = 0
  for (const job of jobs) {
    const expression = expressionOf(job, stepMs === 1000)
    const expected = cronieRuns(job, clock)
    runs += expected.length
    const where = `${expression} in ${zone} from ${new Date(from).toISOString()}`
    // Asked from anywhere in between, as after a restart, the answer is the same.
    const asked = SHARES.map(share => from + Math.floor((to - from) * share))
    const answers = asked.map(after => {
      const at = nextAfter({ kind: 'cron', expression }, zone, after) ?? Number.NaN
      return Math.min(at, to + 1)
    })
    expect({ where, runs: firesIn(expression, zone, from, to), answers }).toEqual({
      where,
      runs: expected,
      answers: asked.map(after => expected.find(run => run > after) ?? to + 1),
    })
  }
  return runs
}

describe('the schedule agrees with cronie, walked minute by minute', () => {
  test.each([
    [2005, 2013],
    [2014, 2022],
    [2023, 2037],
  ])('in every zone, around a clock change of a year from %i to %i', (first, last) => {
    const pool = valid(minuteJob, 2000, false)
    let changes = 0
    let runs = 0
    for (const zone of ZONES) {
      const [year = first] = fc.sample(fc.integer({ min: first, max: last }), 1)
      const all = clockChanges(zone, Date.UTC(year, 0, 1), Date.UTC(year + 1, 0, 1))
      for (const change of some(all, 1)) {
        const jobs = some(pool, 12)
        runs += compare(zone, jobs, change - 4 * HOUR, change + 4 * HOUR, 60_000)
        changes += 1
      }
    }
    expect(changes).toBeGreaterThan(50)
    expect(runs).toBeGreaterThan(10_000)
  })

  test.each([
    ['Pacific/Apia', '2011-12-30T10:00Z'],
    ['Pacific/Kwajalein', '1993-08-21T12:00Z'],
    ['Antarctica/Casey', '2018-10-06T20:00Z'],
    ['Antarctica/Casey', '2018-03-10T17:00Z'],
    ['Antarctica/Vostok', '1994-01-31T17:00Z'],
    ['Antarctica/Vostok', '1994-11-01T00:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
    ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
    ['Asia/Pyongyang', '2018-05-04T15:00Z'],
    ['America/Caracas', '2016-05-01T07:00Z'],
    ['Africa/Casablanca', '2026-02-15T02:00Z'],
    ['Europe/Dublin', '2026-10-25T01:00Z'],
  ])('in %s around the odd change of %s', (zone, change) => {
    const middle = Date.parse(change)
    const jobs = valid(minuteJob, 120, false)
    expect(compare(zone, jobs, middle - 30 * HOUR, middle + 30 * HOUR, 60_000)).toBeGreaterThan(100)
  })

  test.each([
    ['Europe/Berlin', '2026-03-29T01:00Z'],
    ['Europe/Berlin', '2026-10-25T01:00Z'],
    ['America/New_York', '2026-03-08T07:00Z'],
    ['America/New_York', '2026-11-01T06:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
    ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
  ])('second by second for six fields, in %s around %s', (zone, change) => {
    const middle = Date.parse(change)
    const jobs = valid(secondJob, 40, true)
    expect(compare(zone, jobs, middle - HOUR, middle + 3 * HOUR, 1000)).toBeGreaterThan(100)
  })
})

describe('the next time', () => {
  const expressions = minuteJob
    .map(job => expressionOf(job, false))
    .filter(text => 'cron' in parseCron(text))
  const instant = fc.integer({ min: Date.UTC(1970, 0, 3), max: Date.UTC(2100, 0, 1) })

  test('lies after the given one, and asking from anywhere before it gives the same answer', () => {
    fc.assert(
      fc.property(
        expressions,
        fc.constantFrom(...ZONES),
        instant,
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (expression, zone, from, share) => {
          const trigger = { kind: 'cron', expression } as const
          const at = nextAfter(trigger, zone, from) ?? Number.NaN
          expect(at).toBeGreaterThan(from)
          const between = from + Math.floor((at - from) * share)
          expect(nextAfter(trigger, zone, between)).toBe(at)
          expect(nextAfter(trigger, zone, at)).toBeGreaterThan(at)
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('of a date is one instant, found from any distance, and then no more', () => {
    const day = fc.date({
      min: new Date('1975-01-01'),
      max: new Date('2090-01-01'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(
        day,
        fc.constantFrom(...ZONES),
        fc.integer({ min: 0, max: 5e11 }),
        (date, zone, back) => {
          const wallTime = date.toISOString().slice(0, 19)
          const trigger = { kind: 'date', wallTime } as const
          const at = nextAfter(trigger, zone, Date.UTC(1971, 0, 1)) ?? Number.NaN
          expect(nextAfter(trigger, zone, Math.max(at - 1 - back, 0))).toBe(at)
          expect(nextAfter(trigger, zone, at)).toBeUndefined()
          expect(Math.abs(at - Date.parse(`${wallTime}Z`))).toBeLessThanOrEqual(26 * HOUR)
        },
      ),
      { numRuns: 1000 },
    )
  })
})
