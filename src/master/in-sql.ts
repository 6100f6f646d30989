import { messageOf, TaskdError } from '../lib/errors.ts'
import { lacksTables } from '../store/failure.ts'

/**
 * Fails in plain words when the database does not answer or has no tables yet.
 * @param hint what still works while it is away
 * @throws TaskdError E_DATABASE_AWAY for whatever does not refuse the row itself
 */
export async function inSql<T>(answer: Promise<T>, hint: string): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof TaskdError && error.code.startsWith('E_TASK_')) throw error
    if (lacksTables(error))
      throw new TaskdError(
        'E_DATABASE_AWAY',
        'the database has no tables yet: taskd makes them once Redis answers',
        '`taskd status` shows whether it does',
      )
    const message = `the database does not answer: ${messageOf(error)}`
    throw new TaskdError('E_DATABASE_AWAY', message, hint)
  }
}
