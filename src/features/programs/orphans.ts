import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import {
  groupOf,
  isAlive,
  type ProcessId,
  processesWithVariable,
  signalGroup,
  startTimeOf,
} from '../../lib/proc.ts'
import type { ProcessRecord } from './records.ts'

/** In the environment of every process of a program: `<instance>/<name>`. */
export const PROGRAM_VARIABLE = 'TASKD_PROGRAM'

/** What a KILLed daemon left of one program. */
export interface Orphan {
  readonly name: string
  /** The process that was supervised, while it lives. */
  readonly leader: ProcessRecord | undefined
  /** All that carry its mark, in its process group or out of it. */
  readonly processes: readonly (ProcessId & { readonly group: number })[]
}

/**
 * Found by the records, and by the mark in the environment for a process that was started in the very
 * moment the daemon was KILLed. A pid alone proves nothing: it must have the recorded start time, of this
 * boot of the machine.
 */
export function findOrphans(
  records: readonly ProcessRecord[],
  instance: string,
  boot: string,
): ReadonlyMap<string, Orphan> {
  const found = new Map<string, Orphan>()
  for (const record of records) {
    if (record.boot !== boot || !isAlive(record)) continue
    const itself = { pid: record.pid, startTime: record.startTime, group: record.pid }
    found.set(record.name, { name: record.name, leader: record, processes: [itself] })
  }
  const prefix = `${instance}/`
  // A daemon that was started by one of its own programs carries that program's mark.
  const ours = groupOf(process.pid)
  for (const { pid, group, value } of processesWithVariable(PROGRAM_VARIABLE)) {
    const startTime = startTimeOf(pid)
    if (!value.startsWith(prefix) || startTime === undefined || group === ours) continue
    const name = value.slice(prefix.length)
    const known = found.get(name) ?? { name, leader: undefined, processes: [] }
    if (known.processes.some(one => one.pid === pid)) continue
    found.set(name, { ...known, processes: [...known.processes, { pid, startTime, group }] })
  }
  return found
}

const POLL_MS = 20
/** How long KILL may take to be seen. */
const GONE_MS = 5000

/**
 * Ends all of it: asks its groups with `signal`, and KILLs what is left after `waitMs`.
 * @returns whether it is gone
 */
export async function endOrphan(
  orphan: Orphan,
  how: {
    readonly signal: NodeJS.Signals
    readonly waitMs: number
    /** KILL now, without waiting. */
    readonly killing: () => boolean
  },
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<boolean> {
  const pids = orphan.processes.map(one => one.pid)
  log.warn({ pids }, `${orphan.name}: ends what the daemon before has left`)
  send(orphan, how.signal)
  // A halted process would not receive it.
  send(orphan, 'SIGCONT')
  if (await gone(orphan, how.waitMs, clock, how.killing)) return true
  send(orphan, 'SIGKILL')
  if (await gone(orphan, GONE_MS, clock)) return true
  log.error({ pids }, `${orphan.name}: what the daemon before has left cannot be ended`)
  return false
}

function send(orphan: Orphan, signal: NodeJS.Signals): void {
  const live = orphan.processes.filter(isAlive)
  for (const group of new Set(live.map(one => one.group))) signalGroup(group, signal)
}

async function gone(
  orphan: Orphan,
  withinMs: number,
  clock: Clock,
  killing = () => false,
): Promise<boolean> {
  const deadline = clock.monotonic() + withinMs
  while (orphan.processes.some(isAlive)) {
    if (clock.monotonic() >= deadline || killing()) return false
    await clock.sleep(POLL_MS)
  }
  return true
}
