import { isoWithOffset } from '../lib/clock.ts'
import { RUN_VARIABLE, type WorkerInit } from '../model/ipc.ts'
import type { Task } from '../model/task.ts'
import type { Claim } from '../queue/consumer.ts'

/** Scripts see the environment of who runs them, without taskd's own settings and secrets. */
export function scriptEnvironment(env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  const kept = Object.entries(env).filter(
    ([name]) => !/^(TASKD_|NOTIFY_SOCKET$|WATCHDOG_)/.test(name),
  )
  return Object.fromEntries(kept)
}

/**
 * What a run finds in its environment on top of what every run has.
 * @param subTaskId its row of `execute_task`
 */
export function environmentOf(
  { task, attempt }: Claim,
  { workerId }: WorkerInit,
  owner: string,
  subTaskId?: number,
): Record<string, string> {
  return {
    TASKD_TASK_ID: task.id,
    TASKD_TASK_KEY: task.taskKey,
    TASKD_JOB: task.job,
    TASKD_WORKER_ID: workerId,
    TASKD_ATTEMPT: String(attempt),
    TASKD_SCHEDULED_AT: scheduledAt(task),
    ...(subTaskId !== undefined && { TASKD_SUB_TASK_ID: String(subTaskId) }),
    [RUN_VARIABLE]: owner,
  }
}

function scheduledAt(task: Task): string {
  const at = task.scheduledAt ?? task.startAt
  return at === undefined ? '' : isoWithOffset(at)
}
