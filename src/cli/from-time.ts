import { parseInstant } from '../schedule/read-time.ts'
import { usageError } from './exit.ts'

/** `--from`: ISO 8601 with an offset, or what a clock in `timezone` shows; a date is its midnight. */
export function readTime(text: string, timezone: string): number {
  const at = parseInstant(text, timezone)
  if (!at.ok) throw usageError(`--from: ${at.reason}`)
  return at.value
}
