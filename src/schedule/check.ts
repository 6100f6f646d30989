import { realClock } from '../lib/clock.ts'
import { unreachable } from '../lib/errors.ts'
import type { Trigger } from '../model/job.ts'
import { parseCron } from './cron.ts'
import { type Cron, nextWall } from './cron-next.ts'
import { formatInstant } from './format.ts'
import { upcoming } from './next-times.ts'
import { isTimeZone, type Zone, zoneOf } from './transitions.ts'
import { calendarDay, clockTime, parseWallTime } from './wall-time.ts'
import { isCorrection } from './zone.ts'

export interface TriggerCheck {
  /** What is wrong and what to write instead, in one line. */
  readonly problem?: string
  /** What a reader may not expect; each is one line. */
  readonly notes: readonly string[]
}

const DAY = 86_400_000
const YEAR = 366 * DAY

/** Is this a trigger that can fire, and what should its author know? */
export function checkTrigger(
  trigger: Trigger,
  timezone: string,
  nowMs = realClock.now(),
): TriggerCheck {
  if (!isTimeZone(timezone)) {
    const problem = `there is no time zone ${JSON.stringify(timezone)}. write an IANA name, such as Europe/Berlin or UTC`
    return { problem, notes: [] }
  }
  switch (trigger.kind) {
    case 'cron':
      return checkCron(trigger.expression, timezone, nowMs)
    case 'interval':
      return checkInterval(trigger.everyMs)
    case 'date':
      return checkDate(trigger.wallTime, timezone)
    case 'reboot':
      return { notes: [] }
    default:
      return unreachable(trigger)
  }
}

function checkCron(expression: string, timezone: string, nowMs: number): TriggerCheck {
  const parsed = parseCron(expression)
  if ('problem' in parsed) return { problem: parsed.problem, notes: [] }
  const { cron } = parsed
  const notes = [...dayNotes(cron), ...weekdayNotes(cron)]
  // A job that names no hour loses one run of many in a gap: not worth a note.
  if (!cron.fields[2]?.startsWith('*')) notes.push(...gapNotes(cron, zoneOf(timezone), nowMs))
  return { notes }
}

/** Notes where Vixie's day rule differs from what the line seems to say. */
function dayNotes(cron: Cron): string[] {
  const [, , , day = '', , weekday = ''] = cron.fields
  if (/^[*?]$/.test(day) || /^[*?]$/.test(weekday)) return []
  if (!cron.bothDays) {
    return [
      `day ${day} and weekday ${weekday} are both given: it runs on days that match either one. start one of them with * to ask for both`,
    ]
  }
  const star = /^[*?]/.test(day) ? `day ${day}` : `weekday ${weekday}`
  return [
    `${star} starts with *, so it runs only on days that match both day ${day} and weekday ${weekday} (Vixie cron's rule)`,
  ]
}

function weekdayNotes(cron: Cron): string[] {
  const weekday = cron.fields[5] ?? ''
  const notes: string[] = []
  const values = weekday.split(',').flatMap(item => item.replace(/[#/].*$/, '').split('-'))
  if (values.includes('7') || values.includes('7L')) notes.push('weekday 7 is Sunday, as is 0')
  else if (/^0-6$/.test(weekday)) notes.push('weekday 0-6 is every day: Sunday is 0')
  return notes
}

/** Times that the clock does not show on some day of the coming year. */
function gapNotes(cron: Cron, zone: Zone, nowMs: number): string[] {
  const notes: string[] = []
  for (let segment = zone.segmentAt(nowMs); segment.end < nowMs + YEAR; ) {
    const following = zone.segmentAt(segment.end)
    const gapStart = segment.end + segment.offset
    const gapEnd = segment.end + following.offset
    const wall = nextWall(cron, gapStart - 1)
    if (wall !== undefined && wall < gapEnd && !isCorrection(gapEnd - gapStart)) {
      const when = `${clockTime(wall)} does not exist on ${calendarDay(wall)} in ${zone.name}`
      notes.push(
        cron.wild
          ? `${when}: it does not run then, for a job with a * in its time follows the clock`
          : `${when}: it runs at ${clockTime(gapEnd)} instead, when the clock goes forward`,
      )
    }
    segment = following
  }
  return notes
}

function checkInterval(everyMs: number): TriggerCheck {
  if (!Number.isSafeInteger(everyMs) || everyMs < 1) {
    return { problem: `an interval of ${everyMs} ms cannot be kept. write 1s or more`, notes: [] }
  }
  return { notes: [] }
}

function checkDate(wallTime: string, timezone: string): TriggerCheck {
  const parsed = parseWallTime(wallTime)
  if ('problem' in parsed) return { problem: parsed.problem, notes: [] }
  const [only] = upcoming({ kind: 'date', wallTime }, timezone, parsed.wall - 4 * DAY, 1)
  return {
    notes: only?.note ? [`it runs at ${formatInstant(only.at, timezone)}: ${only.note}`] : [],
  }
}
