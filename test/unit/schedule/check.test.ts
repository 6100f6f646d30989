import { describe, expect, test } from 'vitest'
import { checkTrigger } from '../../../src/schedule/check.ts'

const now = Date.parse('2026-12-01T00:00Z')
const cron = (expression: string, zone = 'UTC') =>
  checkTrigger({ kind: 'cron', expression }, zone, now)
const date = (wallTime: string, zone = 'UTC') => checkTrigger({ kind: 'date', wallTime }, zone, now)

describe('a trigger is checked', () => {
  test('an ordinary one has nothing to say', () => {
    expect(cron('*/5 * * * *', 'Europe/Berlin')).toEqual({ notes: [] })
    expect(cron('0 12 * * 1-5', 'Europe/Berlin')).toEqual({ notes: [] })
    expect(checkTrigger({ kind: 'reboot' }, 'UTC', now)).toEqual({ notes: [] })
  })

  test('a bad expression is a problem', () => {
    expect(cron('* * * *').problem).toContain('has 4 fields')
  })

  test.each(['Europe/Berln', '', '+05:30', 'local'])('%j is not a time zone', zone => {
    expect(cron('* * * * *', zone).problem).toBe(
      `there is no time zone ${JSON.stringify(zone)}. write an IANA name, such as Europe/Berlin or UTC`,
    )
  })

  test.each([
    ['2026-02-29 00:00:00', 'there is no such day'],
    ['2026-13-01 00:00:00', 'there is no such day'],
    ['2026-04-31T00:00:00', 'there is no such day'],
    ['2026-12-01 24:00:00', 'there is no such time of day'],
    ['2026-12-01 08:60:00', 'there is no such time of day'],
    ['2026-12-01', 'has no time of day. write it as 2026-12-01 08:00:00'],
    ['2026-12-01T08:00:00Z', 'names an offset'],
    ['2026-12-01 08:00:00+02:00', 'names an offset'],
    ['tomorrow', 'tomorrow is not a date. write it as 2026-12-01 08:00:00'],
    ['', 'the date is empty'],
  ])('the date %j is refused', (wallTime, problem) => {
    expect(date(wallTime).problem).toContain(problem)
  })

  test.each([0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])('an interval of %d ms', everyMs => {
    const { problem } = checkTrigger({ kind: 'interval', everyMs }, 'UTC', now)
    expect(problem).toContain('cannot be kept. write 1s or more')
  })
})

describe('a note explains', () => {
  test('*/2 in the day field beside a weekday: both must match', () => {
    expect(cron('0 0 */2 * 1').notes).toEqual([
      "day */2 starts with *, so it runs only on days that match both day */2 and weekday 1 (Vixie cron's rule)",
    ])
  })

  test('day and weekday both given: either matches', () => {
    expect(cron('0 0 1 * MON').notes).toEqual([
      'day 1 and weekday MON are both given: it runs on days that match either one. start one of them with * to ask for both',
    ])
  })

  test('which number Sunday has', () => {
    expect(cron('0 0 * * 0-6').notes).toEqual(['weekday 0-6 is every day: Sunday is 0'])
    expect(cron('0 0 * * 5-7').notes).toEqual(['weekday 7 is Sunday, as is 0'])
    expect(cron('0 0 * * 7#1').notes).toEqual(['weekday 7 is Sunday, as is 0'])
  })

  test('a fixed time that the clock skips within a year', () => {
    expect(cron('30 2 * * *', 'Europe/Berlin').notes).toEqual([
      '02:30 does not exist on 2027-03-28 in Europe/Berlin: it runs at 03:00 instead, when the clock goes forward',
    ])
    expect(cron('30 2 1 * *', 'Europe/Berlin').notes).toEqual([])
  })

  test('that every minute of a skipped hour does not run', () => {
    expect(cron('* 2 * * *', 'Europe/Berlin').notes).toEqual([
      '02:00 does not exist on 2027-03-28 in Europe/Berlin: it does not run then, for a job with a * in its time follows the clock',
    ])
  })

  test('a date in a gap', () => {
    expect(date('2027-03-28 02:30:00', 'Europe/Berlin').notes).toEqual([
      'it runs at 2027-03-28T03:00:00.000+02:00: moved from 02:30 by the clock change',
    ])
  })

  test('nothing for an interval', () => {
    expect(checkTrigger({ kind: 'interval', everyMs: 90_000 }, 'UTC', now)).toEqual({ notes: [] })
  })
})
