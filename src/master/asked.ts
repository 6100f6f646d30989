import { TaskdError } from '../lib/errors.ts'
import { wordsFor } from '../monitor/redis-servers.ts'
import { isAway, isOutOfMemory, isRefused } from '../queue/connection.ts'

/** @param how the figures; without them api/app.ts adds them to the answer */
export function redisFull(how = 'full: it refuses what needs memory (maxmemory)'): TaskdError {
  return new TaskdError(
    'E_REDIS_FULL',
    `Redis is ${how}`,
    'what waits in it is worked off: try again when there is room',
  )
}

/** Does what needs Redis; within a second it fails in plain words when Redis cannot be had. */
export async function asked<T>(act: () => Promise<T>): Promise<T> {
  return unlessAway(
    act,
    'Redis does not answer',
    '`taskd status` says more; try again when it is back',
  )
}

/** The same for taking in a task: Redis may have it although the answer is missing. */
export function askedToTake<T>(act: () => Promise<T>): Promise<T> {
  return unlessAway(
    act,
    'Redis does not answer, and the task may have been taken',
    'when it is back, look with `taskd status` and `taskd runs` before you repeat this; with the same Idempotency-Key, uuid or unique_task_id a repetition is the same task',
  )
}

async function unlessAway<T>(act: () => Promise<T>, message: string, hint: string): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!isAway(error)) throw error
    if (isOutOfMemory(error)) throw redisFull()
    if (isRefused(error))
      throw new TaskdError(
        'E_REDIS_AWAY',
        `Redis answers and refuses the write: ${wordsFor(error)}`,
        '`taskd status` says more; try again when it takes writes',
      )
    throw new TaskdError('E_REDIS_AWAY', message, hint)
  }
}
