import type { ProgramStatus } from '../api/status.ts'
import type { ProgramMember } from '../features/programs/supervisor.ts'
import type { Clock } from '../lib/clock.ts'
import { count } from '../lib/count.ts'
import { ageOf, usageOf } from '../lib/proc.ts'
import type { ManagedProgram } from '../supervise/managed-program.ts'

export const LEFTOVER = 'a process that the daemon before has left is being ended'

/** @param waitsFor why it still is STARTING, where that is known */
export function childStatus(program: ManagedProgram, clock: Clock, waitsFor: string) {
  const { state, lastEnd, spawns } = program.program
  const since = clock.monotonic() - state.since
  return {
    name: program.name,
    state: state.name,
    pid: program.pid ?? 0,
    uptime_s: program.pid === undefined ? 0 : Math.max(0, Math.round(since / 1000)),
    restart_num: Math.max(0, spawns - 1),
    detail: detailOf(program, clock, lastEnd, waitsFor),
    cpu: 0,
    memory: 0,
  }
}

function detailOf(
  program: ManagedProgram,
  clock: Clock,
  lastEnd: string,
  waitsFor: string,
): string {
  const { state } = program
  switch (state.name) {
    case 'BACKOFF':
      return `${lastEnd}; next try in ${inSeconds(state.retryAt, clock)}`
    case 'FATAL':
      if (state.retryAt === undefined) return lastEnd
      return `${lastEnd}; next try in ${inSeconds(state.retryAt, clock)}`
    case 'STOPPED':
    case 'EXITED':
    case 'STOPPING':
      return state.why
    case 'STARTING':
      return waitsFor
    case 'RUNNING':
      return ''
  }
}

function inSeconds(at: number, clock: Clock): string {
  return `${Math.max(0, Math.ceil((at - clock.monotonic()) / 1000))} s`
}

/** Measured when it is asked for, so that a thousand quiet programs cost nothing in between. */
export function programStatus(member: ProgramMember, clock: Clock): ProgramStatus {
  const { spec, program, outputs, process } = member
  const status = childStatus(program, clock, '')
  const usage = usageOf(status.pid)
  // An adopted one has lived longer than we have known it.
  const older = process?.adopted ? ageOf(process) : undefined
  const lived = older ?? clock.monotonic() - program.program.bornAt
  const { dropped } = outputs
  const notes = [
    status.detail,
    process?.adopted ? 'adopted' : '',
    member.leftover ? LEFTOVER : '',
    dropped > 0 ? `${count(dropped, 'byte')} of output lost` : '',
  ]
  return {
    ...status,
    ...(older !== undefined && { uptime_s: Math.round(older / 1000) }),
    group: spec.group,
    dropped,
    detail: notes.filter(note => note !== '').join('; '),
    // Over its whole life.
    cpu: usage && lived > 0 ? Math.round((usage.cpuMs / lived) * 1000) / 10 : 0,
    memory: usage?.memory ?? 0,
  }
}
