/**
 * When the clocks of a zone change, read from the zone data that comes with Node (ICU) and kept
 * by year. A formatter costs 50 KB, so none is kept: a year's table is built once and is tiny. Years
 * far ahead share theirs, so that ten thousand leap days cost no more than a few.
 */

/** A stretch of time with one offset. Stretches also end with the (UTC) year. */
export interface Segment {
  readonly start: number
  /** The first instant that is no longer part of it. */
  readonly end: number
  /** Wall time minus UTC, ms. */
  readonly offset: number
}

export interface Zone {
  readonly name: string
  /** @throws RangeError for an instant that no date can hold */
  segmentAt(instant: number): Segment
}

/**
 * From here on every zone follows one rule for ever: the last changes that the zone data lists one
 * by one are those of Morocco, to 2087.
 */
const SETTLED_YEAR = 2100

/** No zone in the data has two changes closer than this without the offset differing between. */
const PROBE_MS = 3 * 86_400_000

const zones = new Map<string, Zone>()

/** Is this a zone name that Node knows (an IANA name, or an alias such as UTC)? */
export function isTimeZone(name: string): boolean {
  if (zones.has(name)) return true
  try {
    offsetReader(name)
    return true
  } catch {
    return false
  }
}

/** @throws RangeError when there is no such zone */
export function zoneOf(name: string): Zone {
  const found = zones.get(name)
  if (found) return found
  const zone = openZone(name)
  zones.set(name, zone)
  return zone
}

function openZone(name: string): Zone {
  offsetReader(name)
  const years = new Map<number, readonly Segment[]>()
  let latest: Segment = { start: 0, end: 0, offset: 0 }
  return {
    name,
    segmentAt(instant) {
      if (instant >= latest.start && instant < latest.end) return latest
      const year = new Date(instant).getUTCFullYear()
      const kind = year < SETTLED_YEAR ? year : yearKind(year)
      const segments = years.get(kind) ?? segmentsOf(name, year)
      years.set(kind, segments)
      const shift = Date.UTC(year, 0, 1) - (segments[0]?.start ?? 0)
      const found = segments.find(one => instant - shift < one.end)
      if (!found) throw new RangeError(`no such instant: ${instant}`)
      latest = { start: found.start + shift, end: found.end + shift, offset: found.offset }
      return latest
    },
  }
}

/**
 * 0 to 13, by the weekday of 1 January and whether it is a leap year: one rule puts the changes of
 * all years of a kind on the same days. So 14 tables do for all years to come.
 */
function yearKind(year: number): number {
  const start = Date.UTC(year, 0, 1)
  const leap = Date.UTC(year + 1, 0, 1) - start > 365 * 86_400_000
  return new Date(start).getUTCDay() * 2 + (leap ? 1 : 0)
}

function segmentsOf(name: string, year: number): readonly Segment[] {
  const offsetAt = offsetReader(name)
  const end = Date.UTC(year + 1, 0, 1)
  const segments: Segment[] = []
  let start = Date.UTC(year, 0, 1)
  let offset = offsetAt(start)
  for (let at = start; at < end; ) {
    const next = Math.min(at + PROBE_MS, end)
    // The last probe is the last second of the year; the next year is a table of its own.
    const probe = next === end ? end - 1000 : next
    if (offsetAt(probe) !== offset) {
      const change = bisect(at, probe, instant => offsetAt(instant) !== offset)
      segments.push({ start, end: change, offset })
      start = change
      offset = offsetAt(change)
      at = change
    } else at = next
  }
  segments.push({ start, end, offset })
  return segments
}

/** The first whole second in (low, high] that passes. */
function bisect(low: number, high: number, passes: (instant: number) => boolean): number {
  let before = low / 1000
  let after = high / 1000
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (passes(middle * 1000)) after = middle
    else before = middle
  }
  return after * 1000
}

const OFFSET = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/

function offsetReader(name: string): (instant: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' })
  return instant => {
    const [, sign, hours, minutes, seconds] = OFFSET.exec(format.format(instant)) ?? []
    const size = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)
    return (sign === '-' ? -size : size) * 1000
  }
}
