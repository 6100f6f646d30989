import { TaskdError } from '../lib/errors.ts'
import type { Context, Options } from './context.ts'
import { EXIT, errorLine } from './exit.ts'

/** Errors about one task; any other error would hit the next task as well. */
const OF_ONE = ['E_NO_TASK', 'E_NO_QUEUE', 'E_BAD_STATE']

/** Does the same to each task; one that is unknown does not keep the others from it. */
export async function forEachId<T extends object>(
  ids: readonly string[],
  act: (id: string) => Promise<T>,
  { out }: Context,
  options: Options,
  describe: (result: T) => string,
): Promise<number> {
  const results: object[] = []
  let code: number = EXIT.ok
  for (const id of ids) {
    try {
      const result = await act(id)
      results.push(result)
      if (!options['json']) out.line(`${id}: ${describe(result)}`)
    } catch (error) {
      if (!(error instanceof TaskdError) || !OF_ONE.includes(error.code)) throw error
      code = EXIT.failed
      const { code: reason, message } = error
      results.push({ unique_task_id: id, error: { code: reason, message } })
      out.note(errorLine(error))
    }
  }
  if (options['json']) out.json(results)
  return code
}
