/**
 * Stepping through wall time, which is kept as ms "as if UTC": no zone, no DST, every day has
 * 24 hours. zone.ts turns the result into an instant.
 */

/**
 * A cron expression, ready to be stepped through in plain wall time. Day sets are bit masks
 * and time sets are arrays shared between all jobs that write the field the same way, so that
 * ten thousand jobs stay small.
 */
export interface Cron {
  readonly seconds: readonly number[]
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  /** Bit n = day n. */
  readonly days: number
  /** `L`: the last day of the month, whichever it is. */
  readonly lastDay: boolean
  /** Bit n = month n, from 1. */
  readonly months: number
  /** Bit n = weekday n, Sunday = 0. */
  readonly weekdays: number
  /** Bit n = the last weekday n of the month (`5L`). */
  readonly lastWeekdays: number
  /** `5#2`: weekday bits by occurrence, 1 to 5 (index 0 is unused). */
  readonly nthWeekdays: readonly number[]
  /** Vixie's day rule: day and weekday must both match, unless neither field starts with `*`. */
  readonly bothDays: boolean
  /** Follows the clock through a DST change: a time field starts with `*`. */
  readonly wild: boolean
  /** The fields as written, seconds first. */
  readonly fields: readonly string[]
}

const DAY_S = 86_400

/** The longest wait of a date that does come: 29 February on one weekday, across the year 2100. */
const HORIZON_MONTHS = 41 * 12

/** The first wall time after `after` that the expression matches; undefined when none comes. */
export function nextWall(cron: Cron, after: number): number | undefined {
  const from = Math.floor(after / 1000) + 1
  const today = Math.floor(from / DAY_S)
  const date = new Date(today * DAY_S * 1000)
  const year = date.getUTCFullYear()
  const month = date.getUTCMonth() + 1
  const day = date.getUTCDate()
  if (dayMatches(cron, year, month, day)) {
    const time = timeFrom(cron, from - today * DAY_S)
    if (time !== undefined) return (today * DAY_S + time) * 1000
  }
  const start = dayFrom(cron, year, month, day + 1)
  return start === undefined ? undefined : start + (timeFrom(cron, 0) ?? 0) * 1000
}

/** The first matching second of a day at or after `from`. */
function timeFrom(cron: Cron, from: number): number | undefined {
  const hour = Math.floor(from / 3600)
  const minute = Math.floor(from / 60) % 60
  for (const h of cron.hours) {
    if (h < hour) continue
    for (const m of cron.minutes) {
      if (h === hour && m < minute) continue
      const floor = h === hour && m === minute ? from % 60 : 0
      for (const s of cron.seconds) {
        if (s >= floor) return h * 3600 + m * 60 + s
      }
    }
  }
  return undefined
}

/** Midnight of the first matching day from this one on; `day` may be one past the month's end. */
function dayFrom(cron: Cron, year: number, month: number, day: number): number | undefined {
  for (let left = HORIZON_MONTHS, first = day; left > 0; left -= 1, first = 1) {
    if (cron.months & (1 << month)) {
      const length = daysIn(year, month)
      for (let d = first; d <= length; d += 1) {
        if (dayMatches(cron, year, month, d)) return Date.UTC(year, month - 1, d)
      }
    }
    month += 1
    if (month > 12) {
      month = 1
      year += 1
    }
  }
  return undefined
}

function dayMatches(cron: Cron, year: number, month: number, day: number): boolean {
  if ((cron.months & (1 << month)) === 0) return false
  const length = daysIn(year, month)
  const byDay = (cron.days & (1 << day)) !== 0 || (cron.lastDay && day === length)
  if (cron.bothDays ? !byDay : byDay) return byDay
  const bit = 1 << weekdayOf(year, month, day)
  return (
    (cron.weekdays & bit) !== 0 ||
    ((cron.lastWeekdays & bit) !== 0 && day + 7 > length) ||
    ((cron.nthWeekdays[Math.ceil(day / 7)] ?? 0) & bit) !== 0
  )
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** Sakamoto's method; Sunday = 0. */
const SHIFTS = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4]

function weekdayOf(year: number, month: number, day: number): number {
  const y = month < 3 ? year - 1 : year
  const leaps = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400)
  return (y + leaps + (SHIFTS[month - 1] ?? 0) + day) % 7
}
