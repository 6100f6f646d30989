import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Environment } from '../config/config.ts'
import { TaskdError } from '../lib/errors.ts'

/** How this daemon came to run. */
export interface Start {
  /** `start -n`: it is somebody's child. */
  readonly foreground: boolean
  readonly pid: number
  readonly ppid: number
  readonly env: Environment
  /** The text of a file, '' where it cannot be read. */
  readonly read: (file: string) => string
}

/**
 * A daemon in the foreground is the child of systemd, supervisord, a container or a terminal, which
 * would see it end, while a new one in the background would have no such parent. So only the parent
 * can restart it.
 * @returns the refusal that names the right command; undefined when `taskd restart` may replace it
 */
export function refuseRestart(start: Start): TaskdError | undefined {
  const { foreground, pid, ppid, env, read } = start
  const unit = unitOf(start)
  if (unit) return refusal(`by systemd as ${unit.name}`, unit.command)
  if (!foreground) return undefined
  const program = env['TASKD_PROGRAM']
  if (program !== undefined) {
    const name = program.slice(program.indexOf('/') + 1)
    return refusal(`by another taskd as ${name}`, `taskd -c ITS_CONFIGURATION restart ${name}`)
  }
  if (env['SUPERVISOR_ENABLED'] !== undefined) {
    const { SUPERVISOR_GROUP_NAME: group = '', SUPERVISOR_PROCESS_NAME: process = '' } = env
    const name = group === process || group === '' ? process : `${group}:${process}`
    return refusal('by supervisord', `supervisorctl restart ${name}`)
  }
  if (pid === 1 || (ppid === 1 && isContainer(read)))
    return refusal(
      'as the process of a container',
      `docker restart ${hostname()} or docker compose restart, outside the container`,
    )
  const parent = read(`/proc/${ppid}/comm`).trim()
  const again = env['npm_lifecycle_event'] === 'start' ? 'npm start' : 'taskd start -n'
  return new TaskdError(
    'E_FOREGROUND',
    `this daemon runs in the foreground of ${parent || 'its parent'} (pid ${ppid}), which would lose it`,
    `end it with taskd stop, and start it there again with ${again}`,
  )
}

function refusal(how: string, command: string): TaskdError {
  return new TaskdError('E_FOREGROUND', `this daemon is run ${how}`, `restart it with ${command}`)
}

/**
 * systemd names the process that it started itself (since 248); before that our own unit is known
 * by its name.
 */
function unitOf({ pid, env, read }: Start) {
  const [, name] = /\/([^/\n]+\.service)$/m.exec(read('/proc/self/cgroup')) ?? []
  if (name === undefined) return undefined
  if (!name.startsWith('taskd') && env['SYSTEMD_EXEC_PID'] !== String(pid)) return undefined
  const user = /\/user@\d+\.service\//.test(read('/proc/self/cgroup')) ? '--user ' : ''
  return { name, command: `systemctl ${user}restart ${name}` }
}

function isContainer(read: Start['read']): boolean {
  if (read('/proc/1/cmdline').includes('init.pl')) return true
  return existsSync('/.dockerenv') || existsSync('/run/.containerenv')
}

/** The start of this very process. */
export function ownStart(foreground: boolean): Start {
  const { pid, ppid } = process
  return { foreground, pid, ppid, env: { ...process.env }, read: readText }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
