import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Environment } from './config.ts'

/** The file a command works on: the flag, TASKD_CONFIG, ./conf/cron.ini, /etc/taskd/cron.ini. */
export function findConfigFile(flag: string | undefined, env: Environment, cwd: string): string {
  const named = flag || env['TASKD_CONFIG']
  if (named) return resolve(cwd, named)
  const here = join(cwd, 'conf/cron.ini')
  const system = '/etc/taskd/cron.ini'
  return !existsSync(here) && existsSync(system) ? system : here
}
