import type { Parsed } from '../lib/parsed.ts'
import { RUN_VARIABLE } from '../model/ipc.ts'
import { parseTask, type Task } from '../model/task.ts'
import type { ClaimedTask } from './master-api.ts'

/** A claimed task as it can be run here; the id is the one that it was claimed by. */
export function toTask(claimed: ClaimedTask, queue: string): Parsed<Task> {
  const task = parseTask(claimed.content, queue, claimed.id)
  if (!task.ok) return task
  return { ok: true, value: { ...task.value, id: claimed.id, job: field(claimed, 'job') } }
}

/** What a run finds in its environment on top of what every run has. */
export function environmentOf(
  claimed: ClaimedTask,
  queue: string,
  node: string,
  owner: string,
): Record<string, string> {
  return {
    TASKD_TASK_ID: claimed.id,
    TASKD_TASK_KEY: queue,
    TASKD_JOB: field(claimed, 'job'),
    TASKD_WORKER_ID: node,
    TASKD_ATTEMPT: String(claimed.attempt),
    TASKD_SCHEDULED_AT: field(claimed, 'scheduled_at'),
    [RUN_VARIABLE]: owner,
  }
}

function field({ content }: ClaimedTask, name: string): string {
  if (typeof content !== 'object' || content === null) return ''
  const value = new Map<string, unknown>(Object.entries(content)).get(name)
  // It goes into an environment, which knows no NUL.
  return typeof value === 'string' && !value.includes('\0') ? value : ''
}
