import { changeByName } from '../change.ts'
import type { Command } from '../context.ts'
import { usageError } from '../exit.ts'
import { launchDaemon } from '../launch.ts'
import { requireConfig } from '../load.ts'
import { stopDaemon } from '../stop-daemon.ts'

export const run: Command = async (context, names, options) => {
  const hurry = options['now'] === true
  if (names.length > 0) {
    if (hurry) throw usageError('--now is for the whole daemon and takes no names')
    return changeByName('restart', names, context, options)
  }
  // A daemon that could not come back is not stopped.
  requireConfig(context)
  await stopDaemon(context, { hurry, kill: false, restart: true })
  return launchDaemon(context, options)
}
