import { expect, test } from 'vitest'
import { formatInstant } from '../../../src/schedule/format.ts'
import { isTimeZone, zoneOf } from '../../../src/schedule/transitions.ts'

test.each([
  ['2026-03-29T01:00:00.000Z', 'Europe/Berlin', '2026-03-29T03:00:00.000+02:00'],
  ['2026-03-29T00:59:59.999Z', 'Europe/Berlin', '2026-03-29T01:59:59.999+01:00'],
  ['2026-12-01T00:00:00.000Z', 'UTC', '2026-12-01T00:00:00.000+00:00'],
  ['2026-12-01T00:00:00.000Z', 'Asia/Kathmandu', '2026-12-01T05:45:00.000+05:45'],
  ['2026-12-01T00:00:00.000Z', 'America/St_Johns', '2026-11-30T20:30:00.000-03:30'],
  ['2026-07-01T00:00:00.000Z', 'Australia/Lord_Howe', '2026-07-01T10:30:00.000+10:30'],
  ['1970-01-01T00:00:00.000Z', 'Africa/Monrovia', '1969-12-31T23:15:30.000-00:44:30'],
])('%s in %s is %s', (instant, zone, expected) => {
  expect(formatInstant(Date.parse(instant), zone)).toBe(expected)
})

test('every zone that Node lists is known, and made-up ones are not', () => {
  expect(Intl.supportedValuesOf('timeZone').every(isTimeZone)).toBe(true)
  expect(['Mars/Olympus', '', 'UTC+1'].some(isTimeZone)).toBe(false)
  expect(() => zoneOf('Mars/Olympus')).toThrow(RangeError)
})
