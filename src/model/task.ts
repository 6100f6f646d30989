import { randomUUID } from 'node:crypto'
import type { Parsed } from '../lib/parsed.ts'
import { buildQuery } from './http-build-query.ts'
import type { TaskTemplate } from './job.ts'

/** One unit of work, parsed once where it comes in and the same value everywhere after that. */
export interface Task extends TaskTemplate {
  /** `unique_task_id`: the same over all retries. */
  readonly id: string
  /** The job it came from; '' for a task that was handed in. */
  readonly job: string
  /** The tick it belongs to, ms. */
  readonly scheduledAt?: number
  /** Not before this instant, ms. */
  readonly startAt?: number
  /** A Redis list that gets the answer. */
  readonly replyTo?: string
}

export const DEFAULT_PRIORITY = 5
export const MAX_ID_LENGTH = 255
/** Larger messages are set aside unread. */
export const MAX_MESSAGE_BYTES = 1 << 20
/** What may become one argument of a process (the kernel's MAX_ARG_STRLEN is 128 KiB). */
export const MAX_ARGUMENT_BYTES = 131_071

export function newTaskId(): string {
  return randomUUID()
}

/**
 * Reads a message from a plain list or an API call.
 * @param message what JSON.parse gave
 * @param taskKey the list it came from, which wins over the message's own `task_key`
 * @param fallbackId the id of a task that brings none
 */
export function parseTask(message: unknown, taskKey: string, fallbackId: string): Parsed<Task> {
  try {
    return { ok: true, value: readTask(message, taskKey, fallbackId) }
  } catch (error) {
    if (error instanceof Refused) return { ok: false, reason: error.message }
    throw error
  }
}

class Refused extends Error {}

type Fields = Readonly<Record<string, unknown>>

function readTask(message: unknown, taskKey: string, fallbackId: string): Task {
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    throw new Refused('not a JSON object')
  const fields = { ...message, __proto__: null } as unknown as Fields
  const script = text(fields, 'script')
  if (script === '') throw new Refused('"script" is missing: the file to run')
  const intervals = readIntervals(fields)
  const maxRunTime = number(fields, 'max_run_time', 'seconds')
  const startAt = readStart(fields)
  const replyTo = text(fields, 'reply_to')
  return Object.freeze({
    id: readId(fields, fallbackId),
    taskKey,
    script,
    controller: text(fields, 'controller'),
    function: text(fields, 'function'),
    param: readParam(fields['param']),
    job: '',
    priority: readPriority(fields),
    retries: intervals.length,
    retryIntervalsMs: intervals,
    ...(maxRunTime !== undefined && { maxRunTimeMs: maxRunTime * 1000 }),
    ...(startAt !== undefined && { startAt }),
    ...(replyTo !== '' && { replyTo }),
  })
}

function readId(fields: Fields, fallbackId: string): string {
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

function text(fields: Fields, key: string): string {
  const value = fields[key]
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string') throw new Refused(`"${key}" is not a string`)
  return argument(key, value)
}

function argument(key: string, value: string): string {
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
  if (typeof parsed !== 'number' || !Number.isFinite(parsed) || parsed <= 0 || parsed > 1e9)
    throw new Refused(`"${key}" is not a positive number of ${unit}`)
  return parsed
}

function readPriority(fields: Fields): number {
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
  const parts = typeof text === 'string' ? text.trim().split(/\s+/) : text
  const seconds = Array.isArray(parts) ? parts.map(toNumber) : [Number.NaN]
  if (seconds.length > 1000 || seconds.some(one => !Number.isFinite(one) || one < 0 || one > 1e9))
    throw new Refused('"time_interval" is not a list of seconds such as "10 60 300"')
  return Object.freeze(seconds.map(one => one * 1000))
}

/** Number() itself calls into an object, which may bring a `toString` that cannot be called. */
function toNumber(value: unknown): number {
  const countable = typeof value === 'number' || (typeof value === 'string' && value.trim() !== '')
  return countable ? Number(value) : Number.NaN
}

/** Date.parse makes some date of nearly anything; this is what may be handed to it. */
const ISO_8601 = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?$/

/** Unix seconds (number or digits), or ISO 8601. */
function readStart(fields: Fields): number | undefined {
  const value = fields['start_time']
  if (value === undefined || value === null || value === '' || value === 0) return undefined
  const text = typeof value === 'number' ? String(value) : value
  let ms = Number.NaN
  if (typeof text === 'string' && /^\d+(\.\d+)?$/.test(text)) ms = Number(text) * 1000
  else if (typeof text === 'string' && ISO_8601.test(text)) ms = Date.parse(text)
  if (!Number.isFinite(ms) || ms < 0 || ms > 8.64e15)
    throw new Refused('"start_time" is neither Unix seconds nor ISO 8601')
  return Math.round(ms)
}

function readParam(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return argument('param', value)
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (typeof value !== 'object') return JSON.stringify(value)
  const query = buildQuery(value)
  if (!query.ok) throw new Refused(query.reason)
  return argument('param', query.value)
}
