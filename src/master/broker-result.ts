import type { TaskResult } from '../api/broker-port.ts'
import { isoWithOffset } from '../lib/clock.ts'
import { timeOfUuid } from '../model/uuid.ts'
import type { FoundTask, RemovedTask } from '../queue/task-queues.ts'

/** How much of a failure's message is shown while the task is still retried. */
const FAILURE_CHARACTERS = 500

const OPEN = {
  is_result_exist: false,
  is_success: false,
  code: '',
  data: [],
  next_run: '',
} as const

/** The result of a task that its queue knows. */
export function resultOf(uuid: string, found: FoundTask): TaskResult {
  const { task, attempts, answer, failure } = found
  const base = { ...OPEN, uuid, attempts, task_key: task.taskKey }
  switch (found.state) {
    case 'completed':
    case 'failed': {
      const success = found.state === 'completed'
      const cancelled = !success && failure?.kind === 'cancelled'
      return {
        ...base,
        is_result_exist: true,
        is_success: success,
        message: answer?.msg ?? '',
        state: success ? 'done' : cancelled ? 'cancelled' : 'failed',
        code: answer?.code ?? '',
        data: answer?.data ?? [],
      }
    }
    case 'active':
      return { ...base, state: 'running', message: `runs now (attempt ${attempts})` }
    case 'delayed':
    case 'waiting':
    case 'unknown':
      return { ...base, ...waitingOf(found) }
  }
}

function waitingOf({ task, state, attempts, failure, dueAt }: FoundTask) {
  const next_run = dueAt === undefined ? '' : isoWithOffset(dueAt)
  const when = next_run === '' ? `waits in ${task.taskKey}` : `waits until ${next_run}`
  if (failure !== undefined) {
    const why = failure.msg.slice(0, FAILURE_CHARACTERS)
    const message = `attempt ${attempts} failed: ${why}. the next ${when}`
    return { state: 'retrying', message, next_run, code: failure.code } as const
  }
  return { state: state === 'delayed' ? 'delayed' : 'waiting', message: when, next_run } as const
}

/** The result of a task that was cancelled before it began. */
export function cancelledOf({ id, task_key, attempts, answer }: RemovedTask): TaskResult {
  return {
    ...OPEN,
    uuid: id,
    is_result_exist: true,
    message: answer.msg,
    state: 'cancelled',
    attempts,
    code: answer.code,
    task_key,
  }
}

/**
 * The result of an unknown task.
 * @param keptSince results from before this instant are not kept, ms
 */
export function missingResult(uuid: string, keptSince: number): TaskResult {
  const madeAt = timeOfUuid(uuid)
  const expired = madeAt !== undefined && madeAt < keptSince
  return {
    ...OPEN,
    uuid,
    state: expired ? 'expired' : 'unknown',
    message: expired
      ? 'the result of this task is no longer kept'
      : 'no task with this uuid is known: there never was one, or its result is no longer kept',
    attempts: 0,
    task_key: '',
  }
}
