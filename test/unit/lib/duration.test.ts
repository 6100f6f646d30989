import { describe, expect, test } from 'vitest'
import { formatDuration, parseDuration } from '../../../src/lib/duration.ts'

describe('a duration', () => {
  test.each([
    ['90', 90_000],
    ['0', 0],
    ['1.5', 1500],
    ['30s', 30_000],
    ['250ms', 250],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['1d', 86_400_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['36500d', 36_500 * 86_400_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toEqual({ ok: true, value: ms })
  })

  test.each([
    ['', 'is empty'],
    ['-5s', 'is negative'],
    ['soon', 'is not a duration'],
    ['1h 30m', 'has a blank in it'],
    ['s', 'is not a duration'],
    ['1..5s', 'is not a duration'],
    ['1e3', 'has the unknown unit "e"'],
    ['1h30', 'has no unit after 30'],
    ['5x', 'has the unknown unit "x" (known: d, h, m, s, ms)'],
    ['5S', 'has the unknown unit "S"'],
    ['30m1h', 'has its units twice or not from large to small'],
    ['1h1h', 'has its units twice or not from large to small'],
    ['0.0001s', 'is finer than a millisecond'],
    ['99999d', 'is longer than 100 years'],
    [`${'9'.repeat(60)}d`, 'is longer than 100 years'],
  ])('%j is refused with the reason', (text, reason) => {
    const parsed = parseDuration(text)
    expect(parsed.ok ? '' : parsed.reason).toContain(reason)
  })

  test('a text of any length gets an answer', () => {
    expect(parseDuration('1'.repeat(100_000))).toEqual({ ok: false, reason: 'is not a duration' })
  })

  test.each([
    [0, '0s'],
    [250, '250ms'],
    [90_000, '1m30s'],
    [86_400_000, '1d'],
    [5_400_001, '1h30m1ms'],
  ])('%d ms is written as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})
