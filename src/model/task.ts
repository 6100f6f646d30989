import { randomUUID } from 'node:crypto'
import type { Parsed } from '../lib/parsed.ts'
import { buildQuery } from './http-build-query.ts'
import type { TaskTemplate } from './job.ts'
import {
  argument,
  type Fields,
  Refused,
  readId,
  readPriority,
  readTimes,
  text,
} from './task-fields.ts'

export {
  DEFAULT_PRIORITY,
  MAX_ARGUMENT_BYTES,
  MAX_ID_LENGTH,
  MAX_MESSAGE_BYTES,
} from './task-fields.ts'

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

function readTask(message: unknown, taskKey: string, fallbackId: string): Task {
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    throw new Refused('not a JSON object')
  const fields = { ...message, __proto__: null } as unknown as Fields
  const script = text(fields, 'script')
  if (script === '') throw new Refused('"script" is missing: the file to run')
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
    ...readTimes(fields),
    ...(replyTo !== '' && { replyTo }),
  })
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
