import { constants } from 'node:os'
import { TaskdError } from '../../lib/errors.ts'
import { printChanges } from '../change.ts'
import type { Command } from '../context.ts'

export const run: Command = async (context, [name = '', ...names], options) => {
  const signal = signalOf(name)
  return printChanges(await (await context.daemon()).signal(signal, names), context, options)
}

/** `HUP`, `SIGHUP`, `hup` or `1`. */
function signalOf(text: string): NodeJS.Signals {
  const upper = text.toUpperCase()
  const found = Object.entries(constants.signals).find(
    ([name, number]) => name === upper || name === `SIG${upper}` || String(number) === text,
  )
  if (!found)
    throw new TaskdError(
      'E_SIGNAL',
      `there is no signal ${text}`,
      'write one as in HUP, USR1 or 15',
    )
  return found[0] as NodeJS.Signals
}
