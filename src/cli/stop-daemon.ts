import type { Control, ShutdownOptions } from '../api/control.ts'
import type { Status } from '../api/status.ts'
import { realClock } from '../lib/clock.ts'
import { count } from '../lib/count.ts'
import { TaskdError } from '../lib/errors.ts'
import { isAlive, startTimeOf } from '../lib/proc.ts'
import type { Context } from './context.ts'
import { errorLine } from './exit.ts'

const POLL_MS = 50
/** Shorter stops need no message. */
const QUIET_MS = 500
const NAMED = 5

/**
 * Stops the daemon and waits until its process is gone, saying what it waits for.
 * @returns its pid, or undefined when there was none
 */
export async function stopDaemon(
  context: Context,
  how: ShutdownOptions,
): Promise<number | undefined> {
  const { out } = context
  const daemon = await context.daemon()
  let pid: number
  try {
    pid = (await daemon.status()).pid
  } catch (error) {
    if (!(error instanceof TaskdError && error.code === 'E_NO_DAEMON')) throw error
    out.note(errorLine(new TaskdError(error.code, error.message)))
    return undefined
  }
  const startTime = startTimeOf(pid) ?? 0
  await daemon.shutdown(how)
  const began = realClock.monotonic()
  let said = ''
  while (isAlive({ pid, startTime })) {
    const waits = await whatFor(daemon, pid)
    if (waits !== said && waits !== '' && realClock.monotonic() - began > QUIET_MS) {
      out.note(`waiting for ${waits}`)
      said = waits
    }
    await realClock.sleep(POLL_MS)
  }
  return pid
}

/** '' when there is nothing to name, or the daemon cannot be asked any more. */
async function whatFor(daemon: Control, pid: number): Promise<string> {
  const status = await daemon.status().catch(() => undefined)
  if (status === undefined || status.pid !== pid) return ''
  return describe(status)
}

function describe({ workers, programs }: Status): string {
  const busy = workers.filter(one => one.running_task > 0)
  const tasks = busy.reduce((sum, one) => sum + one.running_task, 0)
  if (tasks > 0)
    return `${count(tasks, 'running task')} (${busy.map(one => one.name).join(', ')}); taskd stop --now ends them`
  const left = workers.filter(one => one.pid > 0)
  if (left.length > 0) return `${count(left.length, 'worker')} to leave`
  // Redis is stopped last, and always quickly.
  const ending = programs.filter(one => one.pid > 0 && one.group !== '')
  const names = ending.slice(0, NAMED).map(one => one.name)
  const more = ending.length > NAMED ? `, and ${ending.length - NAMED} more` : ''
  return ending.length === 0
    ? ''
    : `${count(ending.length, 'program')} to end (${names.join(', ')}${more}); taskd stop --kill ends them at once`
}
