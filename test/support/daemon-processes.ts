import { readFileSync } from 'node:fs'
import { isAlive, processesWithVariable, startTimeOf } from '../../src/lib/proc.ts'
import { waitFor } from './wait.ts'

/** In the environment of everything that a daemon of a test starts, with its folder. */
export const MARK = 'DAEMON_OF_TEST'

/** A line of /proc: what a process of a daemon is. */
export interface Found {
  readonly pid: number
  readonly command: string
}

export function processesOf(dir: string): Found[] {
  return processesWithVariable(MARK)
    .filter(found => found.value === dir)
    .map(({ pid }) => ({ pid, command: commandOf(pid) }))
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim()
  } catch {
    return ''
  }
}

/** @returns how many there were */
export function killAll(dir: string): number {
  const found = processesOf(dir)
  for (const { pid } of found) killNow(pid)
  return found.length
}

/** KILLs a process, which may have ended meanwhile. */
export function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}

/** Resolves when a process has ended; a pid that was given away anew counts as ended. */
export async function gone(pid: number, timeoutMs = 10_000): Promise<void> {
  const startTime = startTimeOf(pid)
  if (startTime === undefined) return
  await waitFor(() => !isAlive({ pid, startTime }), { timeoutMs, what: `process ${pid} ends` })
}

/** The lines of a file that scripts append to; none when it is not there yet. */
export function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean)
  } catch {
    return []
  }
}
