import { expect, test } from 'vitest'
import { formatUptime, shortTime } from '../../../src/cli/times.ts'
import { isoWithOffset } from '../../../src/lib/clock.ts'

test.each([
  [0, '0:00:00'],
  [62, '0:01:02'],
  [36_000, '10:00:00'],
  [86_399.9, '23:59:59'],
  [86_400, '1 day, 0:00:00'],
  [3 * 86_400 + 3723, '3 days, 1:02:03'],
  [-5, '0:00:00'],
])('%d s of uptime is %s, as supervisorctl writes it', (seconds, text) => {
  expect(formatUptime(seconds)).toBe(text)
})

const NOW = new Date(2026, 5, 15, 12, 0, 0).getTime()
const at = (...parts: [number, number, number, number]) => new Date(...parts, 5, 9).getTime()

test('a time of today is a time, of this year has a date, of another year has it too', () => {
  expect(shortTime(isoWithOffset(at(2026, 5, 15, 9)), NOW)).toBe('09:05:09')
  expect(shortTime(isoWithOffset(at(2026, 5, 16, 9)), NOW)).toBe('06-16 09:05:09')
  expect(shortTime(isoWithOffset(at(2027, 5, 15, 9)), NOW)).toBe('2027-06-15 09:05:09')
})

test('a time in another zone keeps its wall time and says the offset', () => {
  const text = shortTime('2026-06-20T09:00:00.000+05:45', NOW)
  expect(text).toBe('06-20 09:00:00+05:45')
})

test('UTC written as Z is the offset zero', () => {
  const text = shortTime('2026-06-20T09:00:00Z', NOW)
  const here = isoWithOffset(Date.parse('2026-06-20T09:00:00Z')).endsWith('+00:00')
  expect(text).toBe(here ? '06-20 09:00:00' : '06-20 09:00:00+00:00')
})

test('what is no time is shown as it is', () => {
  expect(shortTime('soon', NOW)).toBe('soon')
})
