import { TaskdError } from '../lib/errors.ts'
import { isAway } from '../queue/connection.ts'

/** What needs Redis says in a second, and in plain words, that there is none. */
export async function asked<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!isAway(error)) throw error
    throw new TaskdError(
      'E_REDIS_AWAY',
      'Redis does not answer',
      '`taskd status` says more; try again when it is back',
    )
  }
}
