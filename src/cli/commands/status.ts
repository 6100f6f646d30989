import { realClock } from '../../lib/clock.ts'
import { TaskdError } from '../../lib/errors.ts'
import type { Command } from '../context.ts'
import { EXIT, errorLine } from '../exit.ts'
import { statusLines } from '../status/lines.ts'
import { rowsOf } from '../status/rows.ts'
import { isDown, select } from '../status/select.ts'

export const run: Command = async (context, names, options) => {
  const { out } = context
  let whole: Awaited<ReturnType<Awaited<ReturnType<typeof context.daemon>>['status']>>
  try {
    whole = await (await context.daemon()).status()
  } catch (error) {
    out.note(errorLine(error))
    return error instanceof TaskdError ? EXIT.unknown : EXIT.failed
  }
  const { status, unknown } = select(whole, names)
  const named = names.length > 0
  if (options['json']) out.json(status)
  else for (const line of statusLines(rowsOf(status, named, realClock.now()), out)) out.line(line)
  for (const error of unknown) out.note(errorLine(error))
  if (unknown.length > 0) return EXIT.unknown
  return isDown(status, named) ? EXIT.down : EXIT.ok
}
