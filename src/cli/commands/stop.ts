import { changeByName } from '../change.ts'
import type { Command } from '../context.ts'
import { EXIT, usageError } from '../exit.ts'
import { stopDaemon } from '../stop-daemon.ts'

export const run: Command = async (context, names, options) => {
  const kill = options['kill'] === true
  const hurry = kill || options['now'] === true
  if (names.length > 0) {
    if (kill)
      throw usageError(
        '--kill is for the whole daemon and takes no names',
        'taskd signal KILL <name> kills a program, also while it stops',
      )
    if (hurry) throw usageError('--now is for the whole daemon and takes no names')
    return changeByName('stop', names, context, options)
  }
  const stopped = await stopDaemon(context, { hurry, kill, restart: false })
  if (options['json']) context.out.json({ stopped: stopped !== undefined, pid: stopped ?? 0 })
  else if (stopped !== undefined) context.out.line(`taskd has stopped: pid ${stopped}`)
  return EXIT.ok
}
