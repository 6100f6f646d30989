import { describe, expect, test } from 'vitest'
import { parseCron } from '../../../src/schedule/cron.ts'
import { nextAfter } from '../../../src/schedule/next-times.ts'

function days(expression: string, from: string, count: number): string[] {
  const found: string[] = []
  let after = Date.parse(from) - 1
  while (found.length < count) {
    after = nextAfter({ kind: 'cron', expression }, 'UTC', after) ?? Number.NaN
    found.push(new Date(after).toISOString().slice(0, 16))
  }
  return found
}

describe('a cron expression is refused with what to write instead', () => {
  test.each([
    ['', 'the cron expression is empty. write 5 fields'],
    ['   ', 'the cron expression is empty. write 5 fields'],
    ['* * * *', 'the cron expression has 4 fields. write 5 fields'],
    ['5', 'the cron expression has 1 field. write 5 fields'],
    ['0 0 0 * * * 2026', 'the cron expression has 7 fields'],
    ['*/61 * * * *', '*/61 in the minute field: a step of 61 is wider than the field (0-59)'],
    ['0 */24 * * *', '*/24 in the hour field: a step of 24 is wider than the field (0-23)'],
    ['*/0 * * * *', '*/0 in the minute field: a step of 0 never moves. write *'],
    ['*/ * * * *', '*/ in the minute field has no number after the slash'],
    ['*/x * * * *', '*/x in the minute field has no number after the slash'],
    ['0 22-2 * * *', '22-2 in the hour field runs backwards. write 22-23,0-2'],
    ['50-5 * * * *', '50-5 in the minute field runs backwards. write 50-59,0-5'],
    ['0 0 * * FRI-MON', 'FRI-MON in the weekday field runs backwards. write 5-6,0-1'],
    ['0 0 * * SAT-SUN', 'SAT-SUN in the weekday field runs backwards. write 6-7'],
    ['0 0 * NOV-FEB *', 'NOV-FEB in the month field runs backwards. write 11-12,1-2'],
    ['0 0 30 2 *', 'day 30 of month 2 never comes. write a day that the month has, or L'],
    ['0 0 31 4,6,9,11 *', 'day 31 of month 4,6,9,11 never comes'],
    ['0 0 30 2 */2', 'no date is day 30 of month 2 and weekday */2'],
    ['0 0 */20 * MON#2', 'no date is day */20 of month * and weekday MON#2'],
    ['60 * * * *', '60 in the minute field is out of range. write 0-59'],
    ['0 0 0 * *', '0 in the day field is out of range. write 1-31'],
    ['0 0 * * 8', '8 in the weekday field is out of range. write 0-7'],
    ['0 0 * JANUARY *', 'JANUARY in the month field is not a value. write 1-12 or JAN-DEC'],
    ['a * * * *', 'a in the minute field is not a value. write 0-59'],
    ['1,,2 * * * *', 'there is an empty item in the minute field. take the extra comma out'],
    ['-5 * * * *', '-5 in the minute field is not understood. write *, 1, 1-5, 1,3 or */2'],
    ['*-5 * * * *', '*-5 in the minute field is not understood: * already is every minute'],
    ['? * * * *', '? in the minute field is not supported. write *'],
    ['H * * * *', 'H in the minute field is not supported: it hides the time behind a hash'],
    ['0 H(1-4) * * *', 'H in the hour field is not supported'],
    ['0 0 15W * *', '15W in the day field: W (nearest weekday) is not supported'],
    ['0 0 L-2 * *', 'L-2 in the day field is not supported. write L alone'],
    ['0 L * * *', 'L in the hour field is not understood: L and # belong to'],
    ['0 0 * * L', 'L in the weekday field is not understood. write 5L for the last Friday'],
    ['0 0 * * 5#6', '5#6 in the weekday field is not understood. write 5L'],
    ['0 0 * * 9L', '9 in the weekday field is out of range'],
    ['@dayly', '@dayly is not known here. write one of @hourly @daily'],
    [`${'1,'.repeat(600)}1 * * * *`, 'the cron expression is longer than 1000 characters'],
    [`${'1'.repeat(50)} * * * *`, `${'1'.repeat(40)}… in the minute field is not understood`],
    ['\u0007 * * * *', '\\u0007 in the minute field is not understood'],
  ])('%j', (expression, problem) => {
    const parsed = parseCron(expression)
    expect('problem' in parsed ? parsed.problem : 'accepted').toContain(problem)
  })
})

describe('a cron expression fires', () => {
  test.each([
    ['*/20 * * * *', '2026-12-01T00:00', '2026-12-01T00:20', '2026-12-01T00:40'],
    ['5/25 * * * *', '2026-12-01T00:05', '2026-12-01T00:30', '2026-12-01T00:55'],
    ['10-12/2 8 * * *', '2026-12-01T08:10', '2026-12-01T08:12', '2026-12-02T08:10'],
    ['*/30,15 * * * *', '2026-12-01T00:00', '2026-12-01T00:15', '2026-12-01T00:30'],
    ['1,1 0 * * *', '2026-12-01T00:01', '2026-12-02T00:01', '2026-12-03T00:01'],
    ['0 0 * jan,MAR Mon', '2027-01-04T00:00', '2027-01-11T00:00', '2027-01-18T00:00'],
    ['0 0 ? * sat-7', '2026-12-05T00:00', '2026-12-06T00:00', '2026-12-12T00:00'],
    ['0 0 * * 7', '2026-12-06T00:00', '2026-12-13T00:00', '2026-12-20T00:00'],
    ['0 0 L * *', '2026-12-31T00:00', '2027-01-31T00:00', '2027-02-28T00:00'],
    ['0 0 L 2 *', '2027-02-28T00:00', '2028-02-29T00:00', '2029-02-28T00:00'],
    ['0 0 15,L * *', '2026-12-15T00:00', '2026-12-31T00:00', '2027-01-15T00:00'],
    ['0 0 * * FRIL', '2026-12-25T00:00', '2027-01-29T00:00', '2027-02-26T00:00'],
    ['0 0 * * 5#2', '2026-12-11T00:00', '2027-01-08T00:00', '2027-02-12T00:00'],
    ['0 0 * * 1#1,1#3', '2026-12-07T00:00', '2026-12-21T00:00', '2027-01-04T00:00'],
    ['0 0 * * 7#5', '2027-01-31T00:00', '2027-05-30T00:00', '2027-08-29T00:00'],
    ['0 0 29 2 *', '2028-02-29T00:00', '2032-02-29T00:00', '2036-02-29T00:00'],
    ['0 0 31 2 1', '2027-02-01T00:00', '2027-02-08T00:00', '2027-02-15T00:00'],
    ['@hourly', '2026-12-01T00:00', '2026-12-01T01:00', '2026-12-01T02:00'],
    ['@Daily', '2026-12-01T00:00', '2026-12-02T00:00', '2026-12-03T00:00'],
    ['@midnight', '2026-12-01T00:00', '2026-12-02T00:00', '2026-12-03T00:00'],
    ['@weekly', '2026-12-06T00:00', '2026-12-13T00:00', '2026-12-20T00:00'],
    ['@monthly', '2026-12-01T00:00', '2027-01-01T00:00', '2027-02-01T00:00'],
    ['@yearly', '2027-01-01T00:00', '2028-01-01T00:00', '2029-01-01T00:00'],
    ['@annually', '2027-01-01T00:00', '2028-01-01T00:00', '2029-01-01T00:00'],
  ])('%s', (expression, ...expected) => {
    expect(days(expression, '2026-12-01T00:00Z', 3)).toEqual(expected)
  })

  test('on days that match day or weekday when neither field starts with *', () => {
    expect(days('0 0 13 * 5', '2026-12-01T00:00Z', 4).map(day => day.slice(8, 10))).toEqual([
      '04',
      '11',
      '13',
      '18',
    ])
  })

  test('on odd days that are also Mondays for */2 in the day field, as Vixie cron has it', () => {
    expect(days('0 0 */2 * 1', '2026-12-01T00:00Z', 3)).toEqual([
      '2026-12-07T00:00',
      '2026-12-21T00:00',
      '2027-01-11T00:00',
    ])
  })

  test('on the 29th of February of one weekday even when that takes forty years', () => {
    expect(days('0 0 29 2 */7', '2072-03-01T00:00Z', 2)).toEqual([
      '2088-02-29T00:00',
      '2128-02-29T00:00',
    ])
  })

  test('to the second when it has six fields', () => {
    const trigger = { kind: 'cron', expression: '*/15 0 8 * * MON' } as const
    const from = Date.parse('2026-12-01T00:00Z')
    const first = nextAfter(trigger, 'UTC', from) ?? 0
    expect(new Date(first).toISOString()).toBe('2026-12-07T08:00:00.000Z')
    expect(nextAfter(trigger, 'UTC', first)).toBe(first + 15_000)
  })
})
