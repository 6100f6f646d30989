import { messageOf } from '../lib/errors.ts'
import type { Parsed } from '../lib/parsed.ts'
import { elementsOf, memberOf } from './json-slices.ts'
import { MAX_PULL_BATCH, type PullTask } from './pull.ts'
import { MAX_ID_LENGTH } from './task.ts'

/** The size limit of one task's JSON text. */
export const MAX_PULL_TASK_BYTES = 1 << 20

/**
 * The tasks of a request: one object, a list of them, or `{"tasks": […]}`. Each has a `task_id`,
 * and anything else beside it; all are taken, or none, and the error names the wrong one.
 * @param body JSON text
 * @param turn is waited for before each task is looked at
 */
export async function readPullTasks(
  body: string,
  turn: () => Promise<void>,
): Promise<Parsed<readonly PullTask[]>> {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    return no(`not JSON: ${messageOf(error).slice(0, 200)}`)
  }
  if (Array.isArray(value)) return readPullList(value, () => elementsOf(body), turn)
  if (!isObject(value)) return no('neither a task nor a list of tasks')
  const { tasks } = value
  if (Array.isArray(tasks) && value['task_id'] === undefined)
    return readPullList(tasks, () => elementsOf(memberOf(body, 'tasks') ?? '[]'), turn)
  const task = readOne(value, body.trim())
  return task.ok ? { ok: true, value: [task.value] } : no(`the task ${task.reason}`)
}

/**
 * The tasks of a list that has been parsed.
 * @param texts each of them as it came; asked for when they are not too many
 * @param turn is waited for before each task is looked at
 */
export async function readPullList(
  values: readonly unknown[],
  texts: () => readonly string[],
  turn: () => Promise<void>,
): Promise<Parsed<readonly PullTask[]>> {
  if (values.length === 0) return no('no tasks')
  if (values.length > MAX_PULL_BATCH)
    return no(`${values.length} tasks; at most ${MAX_PULL_BATCH} are taken in one call`)
  const slices = texts()
  const tasks: PullTask[] = []
  for (const [n, value] of values.entries()) {
    await turn()
    const task = readOne(value, slices[n] ?? '')
    if (!task.ok) return no(`task ${n + 1} of ${values.length} ${task.reason}`)
    tasks.push(task.value)
  }
  return { ok: true, value: tasks }
}

function readOne(value: unknown, content: string): Parsed<PullTask> {
  if (!isObject(value)) return no('is not a JSON object')
  const id = readId(value['task_id'], content)
  if (!id.ok) return id
  const bytes = Buffer.byteLength(content)
  if (bytes > MAX_PULL_TASK_BYTES)
    return no(`(${id.value}) has ${bytes} bytes; at most ${MAX_PULL_TASK_BYTES} are taken`)
  return { ok: true, value: { id: id.value, content } }
}

function readId(value: unknown, content: string): Parsed<string> {
  if (value === undefined || value === null || value === '') return no('has no "task_id"')
  // A number keeps all its digits: JSON.parse has changed the tail of a large one.
  if (typeof value === 'number' && Number.isInteger(value)) {
    if (Number.isSafeInteger(value)) return { ok: true, value: String(value) }
    const digits = memberOf(content, 'task_id') ?? ''
    if (/^-?\d+$/.test(digits) && digits.length <= MAX_ID_LENGTH) return { ok: true, value: digits }
  }
  if (typeof value !== 'string') return no('has a "task_id" that is no string and no whole number')
  return checkPullId(value)
}

/** What may be the id of a task. */
export function checkPullId(id: string): Parsed<string> {
  if (id.length > MAX_ID_LENGTH)
    return no(`has a "task_id" of more than ${MAX_ID_LENGTH} characters`)
  // Ids that differ only in lone surrogates would be the same in UTF-8.
  if (/\p{Cc}/u.test(id) || !id.isWellFormed())
    return no('has a "task_id" with control characters or broken ones')
  return { ok: true, value: id }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function no(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason }
}
