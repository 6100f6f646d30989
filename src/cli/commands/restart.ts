import { readFileSync } from 'node:fs'
import { TaskdError } from '../../lib/errors.ts'
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
  await stopDaemon(context, { hurry, kill: false }, refuseUnderSystemd)
  return launchDaemon(context, options)
}

/** Started by hand it would no longer be the unit's, and the unit would count as stopped. */
function refuseUnderSystemd(pid: number): void {
  const unit = unitOf(pid)
  if (unit === undefined) return
  throw new TaskdError(
    'E_SYSTEMD',
    `this daemon is run by systemd as ${unit}`,
    `restart it with systemctl restart ${unit}`,
  )
}

function unitOf(pid: number): string | undefined {
  try {
    const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    return /\/(taskd[^/\n]*\.service)$/m.exec(groups)?.[1]
  } catch {
    return undefined
  }
}
