import { readdirSync, readFileSync } from 'node:fs'

/** Who a process is: a pid alone may be reused, a pid with its start time may not. */
export interface ProcessId {
  readonly pid: number
  /** Clock ticks after boot, field 22 of /proc/PID/stat (proc(5)). */
  readonly startTime: number
}

interface Stat {
  readonly state: string
  readonly parent: number
  readonly group: number
  readonly startTime: number
  /** Of processor time, in clock ticks of 10 ms. */
  readonly ticks: number
  /** Of memory that it has in RAM. */
  readonly pages: number
}

/** Fields of /proc/PID/stat; the name in parentheses may hold spaces and parentheses itself. */
function readStat(pid: number): Stat | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return {
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    group: Number(fields[2]),
    startTime: Number(fields[19]),
    ticks: Number(fields[11]) + Number(fields[12]),
    pages: Number(fields[21]),
  }
}

const lives = (stat: Stat | undefined): stat is Stat =>
  stat !== undefined && stat.state !== 'Z' && stat.state !== 'X'

/** The start time of a live process, or undefined. */
export function startTimeOf(pid: number): number | undefined {
  const stat = readStat(pid)
  return lives(stat) ? stat.startTime : undefined
}

/** The process group of a live process, or undefined. */
export function groupOf(pid: number): number | undefined {
  const stat = readStat(pid)
  return lives(stat) ? stat.group : undefined
}

/** USER_HZ, the same on every Linux (proc(5)). */
const MS_PER_TICK = 10
/** AT_PAGESZ of the auxiliary vector (getauxval(3)). */
const PAGE_SIZE_ENTRY = 6n

let pageSize: number | undefined

function readPageSize(): number {
  try {
    const vector = readFileSync('/proc/self/auxv')
    for (let at = 0; at + 16 <= vector.length; at += 16)
      if (vector.readBigUInt64LE(at) === PAGE_SIZE_ENTRY)
        return Number(vector.readBigUInt64LE(at + 8))
  } catch {
    // It cannot be read; nearly all machines have this size.
  }
  return 4096
}

/** How long ago a process was started, ms; undefined where the kernel does not tell. */
export function ageOf({ startTime }: Pick<ProcessId, 'startTime'>): number | undefined {
  try {
    const uptime = Number.parseFloat(readFileSync('/proc/uptime', 'latin1'))
    return Number.isNaN(uptime) ? undefined : uptime * 1000 - startTime * MS_PER_TICK
  } catch {
    return undefined
  }
}

/** What a process has used: processor time since its start, ms, and memory now, bytes. */
export function usageOf(
  pid: number,
): { readonly cpuMs: number; readonly memory: number } | undefined {
  const stat = readStat(pid)
  if (!lives(stat)) return undefined
  pageSize ??= readPageSize()
  return { cpuMs: stat.ticks * MS_PER_TICK, memory: stat.pages * pageSize }
}

/** True while exactly this process runs. A zombie does not, although kill(pid, 0) says so. */
export function isAlive(id: ProcessId): boolean {
  return startTimeOf(id.pid) === id.startTime
}

/** Every pid of the machine (of this pid namespace). */
function allPids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger)
}

/** Live processes by process group, read in one pass. */
export function processesByGroup(): Map<number, number[]> {
  const groups = new Map<number, number[]>()
  for (const pid of allPids()) {
    const stat = readStat(pid)
    if (!lives(stat)) continue
    const members = groups.get(stat.group)
    if (members) members.push(pid)
    else groups.set(stat.group, [pid])
  }
  return groups
}

/** True while the group has a member that is not a zombie. */
export function groupLives(group: number): boolean {
  if (!signalGroup(group, 0)) return false
  return processesByGroup().has(group)
}

/**
 * Sends a signal to a whole process group.
 * @returns false when there is no such group (or it is somebody else's)
 */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  // 0 and 1 would mean our own group and every process there is.
  if (!Number.isInteger(group) || group <= 1) return false
  try {
    process.kill(-group, signal)
    return true
  } catch {
    return false
  }
}

/** Live processes whose environment has `name`, with its value; unreadable ones are passed over. */
export function processesWithVariable(
  name: string,
): { pid: number; group: number; value: string }[] {
  const found: { pid: number; group: number; value: string }[] = []
  const prefix = `${name}=`
  for (const pid of allPids()) {
    let environment: string
    try {
      environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
    } catch {
      continue
    }
    const at = environment.startsWith(prefix) ? 0 : environment.indexOf(`\0${prefix}`) + 1
    if (at === 0 && !environment.startsWith(prefix)) continue
    const stat = readStat(pid)
    if (!lives(stat)) continue
    const value = environment.slice(at + prefix.length).split('\0', 1)[0] ?? ''
    found.push({ pid, group: stat.group, value })
  }
  return found
}

/** How many files this process may have open; Node has raised the soft limit to the hard one. */
export function openFilesLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1')
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** The kernel's id of this boot, or '' where there is none. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}
