import { changeByName } from '../change.ts'
import type { Command } from '../context.ts'
import { usageError } from '../exit.ts'

export const run: Command = async (context, names, options) => {
  const foreground = options['nodaemon'] === true
  if (names.length > 0) {
    if (foreground) throw usageError('-n starts the daemon itself and takes no names')
    return changeByName('start', names, context, options)
  }
  if (foreground || options['detached']) {
    const { runDaemon } = await import('../../master/main.ts')
    return runDaemon({ configFile: context.configFile, environment: context.env, foreground })
  }
  const { launchDaemon } = await import('../launch.ts')
  return launchDaemon(context, options)
}
