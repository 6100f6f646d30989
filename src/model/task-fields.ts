import { parseIso, parseUnixSeconds } from '../lib/calendar.ts'

/** What a message says, still unchecked. */
export type Fields = Readonly<Record<string, unknown>>

export const DEFAULT_PRIORITY = 5
export const MAX_ID_LENGTH = 255
/** Larger messages are set aside unread. */
export const MAX_MESSAGE_BYTES = 1 << 20
/** The longest argument that a process may get (the kernel's MAX_ARG_STRLEN is 128 KiB). */
export const MAX_ARGUMENT_BYTES = 131_071

/** Why a message is not a task, in words. */
export class Refused extends Error {}

export function readId(fields: Fields, fallbackId: string): string {
  const raw = fields['unique_task_id']
  const id =
    typeof raw === 'number' && Number.isSafeInteger(raw)
      ? String(raw)
      : text(fields, 'unique_task_id')
  if (id.length > MAX_ID_LENGTH)
    throw new Refused(`"unique_task_id" is longer than ${MAX_ID_LENGTH} characters`)
  if (/\p{Cc}/u.test(id)) throw new Refused('"unique_task_id" has control characters')
  return id === '' ? fallbackId : id
}

export function text(fields: Fields, key: string): string {
  const value = fields[key]
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string') throw new Refused(`"${key}" is not a string`)
  return argument(key, value)
}

export function argument(key: string, value: string): string {
  if (value.includes('\0')) throw new Refused(`"${key}" has a NUL byte`)
  if (Buffer.byteLength(value) > MAX_ARGUMENT_BYTES)
    throw new Refused(
      `"${key}" is longer than ${MAX_ARGUMENT_BYTES} bytes, the most one argument may hold`,
    )
  return value
}

function number(fields: Fields, key: string, unit: string): number | undefined {
  const value = fields[key]
  if (value === undefined || value === null || value === '') return undefined
  const parsed = typeof value === 'string' ? Number(value) : value
  if (typeof parsed !== 'number' || Number.isNaN(parsed) || parsed <= 0)
    throw new Refused(`"${key}" is not a positive number of ${unit}`)
  return parsed
}

export function readPriority(fields: Fields): number {
  const value = number(fields, 'priority', 'rank 1 to 9')
  if (value === undefined) return DEFAULT_PRIORITY
  if (!Number.isInteger(value) || value > 9)
    throw new Refused('"priority" is not a whole number from 1 (first) to 9 (last)')
  return value
}

/** "10 60 300", or a list of seconds. */
function readIntervals(fields: Fields): readonly number[] {
  const value = fields['time_interval']
  if (value === undefined || value === null || value === '') return []
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text === 'string' && text.trim() === '') return []
  const parts = typeof text === 'string' ? text.trim().split(/\s+/) : text
  const seconds = Array.isArray(parts) ? parts.map(toNumber) : [Number.NaN]
  if (seconds.length > 1000 || seconds.some(one => !Number.isFinite(one) || one < 0 || one > 1e9))
    throw new Refused('"time_interval" is not a list of seconds such as "10 60 300"')
  return Object.freeze(seconds.map(one => one * 1000))
}

/** Number() calls an object's own `toString`, which may throw. */
function toNumber(value: unknown): number {
  const countable = typeof value === 'number' || (typeof value === 'string' && value.trim() !== '')
  return countable ? Number(value) : Number.NaN
}

/** Unix seconds (number or digits), or ISO 8601. */
function readStart(fields: Fields): number | undefined {
  const value = fields['start_time']
  if (value === undefined || value === null || value === '' || value === 0) return undefined
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
  const read = parseUnixSeconds(text) ?? parseIso(text)
  if (read === undefined) throw new Refused('"start_time" is neither Unix seconds nor ISO 8601')
  if (!read.ok) throw new Refused(`"start_time" ${text}: ${read.reason}`)
  return read.value
}

const MAX_SECONDS = 1_000_000_000

/** When a task runs, for how long, and when again. */
export function readTimes(fields: Fields) {
  const intervals = readIntervals(fields)
  const maxRunTime = number(fields, 'max_run_time', 'seconds')
  if (maxRunTime !== undefined && maxRunTime > MAX_SECONDS)
    throw new Refused(`"max_run_time" is more than ${MAX_SECONDS} seconds, which is 31 years`)
  const startAt = readStart(fields)
  return {
    retries: intervals.length,
    retryIntervalsMs: intervals,
    ...(maxRunTime !== undefined && { maxRunTimeMs: maxRunTime * 1000 }),
    ...(startAt !== undefined && { startAt }),
  }
}
