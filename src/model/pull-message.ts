import type { Parsed } from '../lib/parsed.ts'
import type { PullTask } from './pull.ts'
import { checkPullId } from './pull-task.ts'
import type { Task } from './task.ts'

/**
 * A message of a plain list as a task of a pull queue. Its text is the content, whatever
 * object it is: only those who claim it know what it means.
 * @param message what was read from `text`
 * @param fallbackId the id of a message that brings none
 */
export function readPullMessage(
  message: unknown,
  text: string,
  fallbackId: string,
): Parsed<PullTask> {
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    return { ok: false, reason: 'not a JSON object' }
  const fields = new Map<string, unknown>(Object.entries(message))
  const raw = fields.get('task_id') ?? fields.get('unique_task_id') ?? ''
  const whole = typeof raw === 'number' && Number.isSafeInteger(raw)
  if (typeof raw !== 'string' && !whole)
    return { ok: false, reason: '"task_id" is no string and no whole number' }
  const id = checkPullId(raw === '' ? fallbackId : String(raw))
  return id.ok ? { ok: true, value: { id: id.value, content: text.trim() } } : id
}

/** One of our tasks in the form that an agent reads: the message of a plain list, with its id. */
export function toPullTask(task: Task): PullTask {
  const { id, taskKey, script, controller, param, job, scheduledAt, maxRunTimeMs } = task
  const content = JSON.stringify({
    task_id: id,
    task_key: taskKey,
    script,
    controller,
    function: task.function,
    param,
    ...(maxRunTimeMs !== undefined && { max_run_time: maxRunTimeMs / 1000 }),
    ...(job !== '' && { job }),
    ...(scheduledAt !== undefined && { scheduled_at: new Date(scheduledAt).toISOString() }),
  })
  return { id, content }
}
