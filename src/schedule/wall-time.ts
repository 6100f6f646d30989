import { calendarProblem } from '../lib/calendar.ts'

const SHAPE = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?$/
const DATE_ONLY = /^\d{4}-\d\d-\d\d$/
const WITH_ZONE = /[\d ](Z|[+-]\d\d:?\d\d)$/i

const EXAMPLE = 'write it as 2026-12-01 08:00:00'

/**
 * Reads `2026-12-01 08:00:00` (also with `T`) as ms "as if UTC". A time that no calendar or
 * clock shows is a problem, not the day after.
 */
export function parseWallTime(
  text: string,
): { readonly wall: number } | { readonly problem: string } {
  const trimmed = text.trim()
  const shown = JSON.stringify(trimmed.slice(0, 40)).slice(1, -1)
  const match = SHAPE.exec(trimmed)
  if (!match) {
    if (DATE_ONLY.test(trimmed)) return { problem: `${shown} has no time of day. ${EXAMPLE}` }
    if (WITH_ZONE.test(trimmed) && trimmed.includes(':')) {
      return { problem: `${shown} names an offset. ${EXAMPLE} and set timezone for the zone` }
    }
    return {
      problem: `${shown === '' ? 'the date is empty' : `${shown} is not a date`}. ${EXAMPLE}`,
    }
  }
  const numbers = match.slice(1).map(part => Number(part ?? 0))
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = numbers
  const problem = calendarProblem(numbers)
  if (problem !== '') return { problem: `${shown}: ${problem}` }
  return { wall: Date.UTC(year, month - 1, day, hour, minute, second) }
}

/** `02:30`, or `02:30:15` when there are seconds. */
export function clockTime(wall: number): string {
  const time = new Date(wall).toISOString().slice(11, 19)
  return time.endsWith(':00') ? time.slice(0, 5) : time
}

/** `2026-03-29`. */
export function calendarDay(wall: number): string {
  const text = new Date(wall).toISOString()
  return text.slice(0, text.indexOf('T'))
}
