import { parseIso } from '../lib/calendar.ts'
import type { Parsed } from '../lib/parsed.ts'
import { upcoming } from './next-times.ts'
import { parseWallTime } from './wall-time.ts'

const DAY = 86_400_000
const WITH_OFFSET = /[T ].*(?:Z|[+-]\d\d:?\d\d)$/i

/**
 * An instant as people write it: ISO 8601 with an offset, or what a clock in `timezone` shows; a
 * date is its midnight. A time that the clock shows twice is the first of the two.
 */
export function parseInstant(text: string, timezone: string): Parsed<number> {
  const trimmed = text.trim()
  if (WITH_OFFSET.test(trimmed)) {
    const at = parseIso(trimmed)
    if (at) return at.ok ? at : { ok: false, reason: `${trimmed}: ${at.reason}` }
  }
  const wallTime = withSeconds(trimmed)
  const parsed = parseWallTime(wallTime)
  if ('problem' in parsed) return { ok: false, reason: parsed.problem }
  const [found] = upcoming({ kind: 'date', wallTime }, timezone, parsed.wall - 4 * DAY, 1)
  return { ok: true, value: found?.at ?? parsed.wall }
}

function withSeconds(text: string): string {
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return `${text} 00:00:00`
  return text.replace(/\.\d+$/, '')
}
