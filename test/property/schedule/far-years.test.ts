import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { upcoming } from '../../../src/schedule/next-times.ts'
import { zoneOf } from '../../../src/schedule/transitions.ts'

const HOUR = 3_600_000
const START = Date.UTC(2099, 0, 1)
const END = Date.UTC(200_000, 0, 1)

/** What the zone data says without any table: `GMT+02:00`. */
function offsetTold(zone: string, instant: number): string {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
  const told = format.formatToParts(instant).find(part => part.type === 'timeZoneName')?.value
  return told === 'GMT' ? 'GMT+00:00' : (told ?? '')
}

function offsetOf(zone: string, instant: number): string {
  const minutes = zoneOf(zone).segmentAt(instant).offset / 60_000
  const size = Math.abs(minutes)
  const parts = [Math.trunc(size / 60), size % 60].map(part => String(part).padStart(2, '0'))
  return `GMT${minutes < 0 ? '-' : '+'}${parts.join(':')}`
}

test('years that stand for others have the same clock changes in every zone', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
      fc.oneof(
        fc.integer({ min: START / HOUR, max: Date.UTC(2500, 0, 1) / HOUR }),
        fc.integer({ min: START / HOUR, max: END / HOUR }),
      ),
      (zone, hours) => {
        expect(offsetOf(zone, hours * HOUR)).toBe(offsetTold(zone, hours * HOUR))
      },
    ),
    { numRuns: 100 },
  )
})

test('10,000 leap days take no table of clock changes for each', () => {
  const real = Intl.DateTimeFormat
  let made = 0
  Intl.DateTimeFormat = new Proxy(real, {
    construct(target, given) {
      made += 1
      return Reflect.construct(target, given) as object
    },
  })
  try {
    const expression = '0 0 29 2 *'
    const days = upcoming({ kind: 'cron', expression }, 'Asia/Tokyo', Date.UTC(2100, 0), 10_000)
    const expected: number[] = []
    for (let year = 2104; expected.length < 10_000; year += 4) {
      const day = new Date(Date.UTC(year, 1, 29))
      if (day.getUTCDate() === 29) expected.push(day.getTime() - 9 * HOUR)
    }
    expect(days.map(day => day.at)).toEqual(expected)
    expect(made).toBeLessThan(100)
  } finally {
    Intl.DateTimeFormat = real
  }
})
