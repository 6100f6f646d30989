import { upcoming } from '../schedule/next-times.ts'
import { parseWallTime } from '../schedule/wall-time.ts'
import { usageError } from './exit.ts'

const DAY = 86_400_000
const WITH_OFFSET = /T.*(?:Z|[+-]\d\d:?\d\d)$/i

/** `--from`: ISO 8601 with an offset, or what a clock in `timezone` shows; a date is its midnight. */
export function readTime(text: string, timezone: string): number {
  if (WITH_OFFSET.test(text)) {
    const at = Date.parse(text)
    if (!Number.isNaN(at)) return at
  }
  const wallTime = withSeconds(text.trim())
  const parsed = parseWallTime(wallTime)
  if ('problem' in parsed) throw usageError(`--from: ${parsed.problem}`)
  const [found] = upcoming({ kind: 'date', wallTime }, timezone, parsed.wall - 4 * DAY, 1)
  return found?.at ?? parsed.wall
}

function withSeconds(text: string): string {
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return `${text} 00:00:00`
  return text.replace(/\.\d+$/, '')
}
