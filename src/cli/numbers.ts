import { parseDuration } from '../lib/duration.ts'
import { usageError } from './exit.ts'

/** @throws TaskdError E_BAD_USAGE @param what how the user knows it: `--limit` */
export function wholeNumber(text: string, what: string, least: number, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw usageError(`${what} ${JSON.stringify(text)} is not a whole number from ${least} to ${most}`)
}

/** ms @throws TaskdError E_BAD_USAGE */
export function duration(text: string, what: string): number {
  const parsed = parseDuration(text)
  if (parsed.ok) return parsed.value
  const message = `${what} ${JSON.stringify(text)} ${parsed.reason}`
  throw usageError(message, 'write it as 10s, 5m or 1h30m')
}
