import { expect, test } from 'vitest'
import { readTime } from '../../../src/cli/from-time.ts'

test.each([
  ['2026-03-28T12:00:00Z', 'Europe/Berlin', '2026-03-28T12:00:00.000Z'],
  ['2026-03-28T12:00:00+05:45', 'UTC', '2026-03-28T06:15:00.000Z'],
  ['2026-03-28T12:00:00.500+01:00', 'UTC', '2026-03-28T11:00:00.500Z'],
  ['2026-03-28T12:00:00', 'Europe/Berlin', '2026-03-28T11:00:00.000Z'],
  ['2026-03-28 12:00', 'Europe/Berlin', '2026-03-28T11:00:00.000Z'],
  ['2026-03-28', 'Asia/Kathmandu', '2026-03-27T18:15:00.000Z'],
  // The clock does not show it: the moment the gap ends.
  ['2026-03-29 02:30:00', 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
])('%s in %s is %s', (text, zone, expected) => {
  expect(new Date(readTime(text, zone)).toISOString()).toBe(expected)
})

test.each(['tomorrow', '2026-02-30', '2026-03-28T25:00:00', '2026-13-01T00:00:00Z', ''])(
  '%j is refused as bad usage',
  text => {
    expect(() => readTime(text, 'UTC')).toThrow(expect.objectContaining({ code: 'E_BAD_USAGE' }))
  },
)
