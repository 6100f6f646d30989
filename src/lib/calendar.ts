import type { Parsed } from './parsed.ts'

/** The first year that a time may have: nothing waits for an earlier one. */
const FIRST_YEAR = 1970

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?$/i

/** The end of the year 9999, Unix seconds. */
const END_S = 253_402_300_800

/** Why the calendar has no such time (Date would silently take another); '' when it has. */
export function calendarProblem(parts: readonly number[]): string {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day)
    return 'there is no such day. write a date of the calendar'
  if (hour > 23 || minute > 59 || second > 59)
    return 'there is no such time of day. write 00:00:00 to 23:59:59'
  return year < FIRST_YEAR ? `that is before ${FIRST_YEAR}. write a year from 1970 to 9999` : ''
}

/**
 * ISO 8601 of the calendar, as ms since 1970; undefined for text of another shape. Without an offset
 * it is a time of this machine's zone, a date alone is its midnight in UTC, as for Date.
 */
export function parseIso(text: string): Parsed<number> | undefined {
  const match = ISO.exec(text)
  if (!match) return undefined
  const problem = calendarProblem(match.slice(1).map(part => Number(part ?? 0)))
  if (problem !== '') return { ok: false, reason: problem }
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) return { ok: false, reason: 'there is no such offset. write +08:00 or Z' }
  return { ok: true, value: ms }
}

/** Unix seconds as text, to ms; undefined for text that is no number. */
export function parseUnixSeconds(text: string): Parsed<number> | undefined {
  if (!/^\d+(\.\d+)?$/.test(text)) return undefined
  const seconds = Number(text)
  if (seconds < END_S) return { ok: true, value: Math.round(seconds * 1000) }
  const asked = seconds / 1000 < END_S ? `milliseconds? write ${seconds / 1000}` : 'write seconds'
  return { ok: false, reason: `as Unix seconds it is beyond the year 9999. ${asked}` }
}
