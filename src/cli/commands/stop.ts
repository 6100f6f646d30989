import { changeByName } from '../change.ts'
import type { Command } from '../context.ts'
import { EXIT, usageError } from '../exit.ts'
import { stopDaemon } from '../stop-daemon.ts'

export const run: Command = async (context, names, options) => {
  const hurry = options['now'] === true
  if (names.length > 0) {
    if (hurry) throw usageError('--now is for the whole daemon and takes no names')
    return changeByName('stop', names, context, options)
  }
  const stopped = await stopDaemon(context, hurry)
  if (options['json']) context.out.json({ stopped: stopped !== undefined, pid: stopped ?? 0 })
  else if (stopped !== undefined) context.out.line(`taskd has stopped: pid ${stopped}`)
  return EXIT.ok
}
