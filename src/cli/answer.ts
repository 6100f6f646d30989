import type { Pushed } from '../api/control.ts'
import type { Answer } from '../model/run-result.ts'
import type { Context, Options } from './context.ts'
import { EXIT } from './exit.ts'
import { clean } from './render.ts'

/** The id of a task that was handed in, or what it answered. */
export function showAnswer(result: Pushed | Answer, { out }: Context, options: Options): number {
  const code = 'code' in result && result.code !== 'succ' ? EXIT.failed : EXIT.ok
  if (options['json']) out.json(result)
  else if ('code' in result) {
    const message = result.msg.trim().split(/\r?\n/).map(clean).join('\n')
    out.line(message === '' ? clean(result.code) : `${clean(result.code)}: ${message}`)
    if (holdsData(result.data)) out.json(result.data)
  } else out.line(result.unique_task_id)
  return code
}

function holdsData(data: unknown): boolean {
  if (data === undefined || data === null || data === '') return false
  return typeof data !== 'object' || Object.keys(data).length > 0
}
