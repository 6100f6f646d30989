import { spawn } from 'node:child_process'
import type { Clock } from '../../lib/clock.ts'
import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { groupLives, isAlive, type ProcessId, signalGroup, startTimeOf } from '../../lib/proc.ts'
import type { Turns } from '../../lib/turns.ts'
import type { Stdin } from '../../logs/stdin.ts'
import type { ProcessSpec } from '../../model/program-spec.ts'
import type { Launch, LaunchListener } from '../../supervise/managed-program.ts'
import { commandOf, whyNotStarted } from './command.ts'
import type { Leftovers } from './leftovers.ts'
import { type Orphan, PROGRAM_VARIABLE } from './orphans.ts'
import type { ProgramOutputs } from './outputs.ts'
import { digestOf, type ProcessRecords } from './records.ts'

export interface ProgramLaunch {
  /** As it is when the process starts: a reload may have changed it. */
  readonly spec: () => ProcessSpec
  readonly outputs: ProgramOutputs
  /** A stop is a KILL. */
  readonly killing: () => boolean
  /** The process, as long as it lives. */
  readonly onProcess: (process: ProgramProcess | undefined) => void
}

export interface LaunchDeps {
  readonly instance: string
  readonly boot: string
  readonly records: ProcessRecords
  /** What an earlier daemon left. */
  readonly leftovers: Leftovers
  readonly clock: Clock
  readonly log: Logger
  /** What every program gets of our own environment. */
  readonly environment: Readonly<Record<string, string>>
  /** A fork takes a millisecond of the main thread; many at once must not hold up everything. */
  readonly turns: Turns
  readonly stdin: Pick<Stdin, 'descriptor'>
}

export interface ProgramProcess extends ProcessId {
  /** Started by an earlier daemon. */
  readonly adopted: boolean
  /** @param group the whole process group */
  signal(signal: NodeJS.Signals, group: boolean): void
}

/** The end of an adopted process. */
const UNSEEN_END = 'ended unseen: only the daemon that started it would have been told how'

/** How often an adopted process is looked at: it is not our child, so we get no exit event. */
const ADOPTED_POLL_MS = 200

/** Starts the process of a program, or takes over the one that a KILLed daemon left running. */
export function programLauncher(options: ProgramLaunch, deps: LaunchDeps): Launch {
  return listener => {
    const { spec, onProcess } = options
    let running: ProgramProcess | undefined
    let over = false
    /** Resolves with whether processes of an earlier daemon are out of the way. */
    let cleared: Promise<boolean> = Promise.resolve(true)

    const ended = (exitCode: number | null, signal: string | null) => {
      over = true
      const was = running
      running = undefined
      onProcess(undefined)
      deps.records.remove(spec().name)
      if (was?.adopted) listener.failed(UNSEEN_END)
      else listener.exited(exitCode, signal)
      if (was) noteLeftBehind(was.pid, spec(), deps)
    }
    const begun = (process: ProgramProcess) => {
      running = process
      onProcess(process)
      listener.spawned(process.pid)
    }

    const begin = async () => {
      const { leftovers } = deps
      const { name } = spec()
      const adopted = adoptable(leftovers.adoptable(name), spec())
      if (adopted) {
        leftovers.adopted(name)
        return watchAdopted(adopted, begun, ended, listener, deps)
      }
      cleared = leftovers.end(name, stopOf(spec()))
      const isClear = await cleared
      if (over) return undefined
      if (!isClear) return listener.failed('processes of the previous daemon cannot be ended')
      await startProcess(options, deps, () => over, begun, ended, listener)
      return undefined
    }
    begin().catch((error: unknown) => listener.failed(messageOf(error)))

    return {
      terminate() {
        if (!running) {
          over = true
          // Once this is reported, no process of it is left.
          void cleared.then(() => listener.exited(null, null))
          return undefined
        }
        const { stopSignal, stopAsGroup, killAsGroup } = spec()
        if (options.killing()) return running.signal('SIGKILL', killAsGroup)
        running.signal(stopSignal, stopAsGroup)
        // A process that SIGSTOP has halted must go on to receive the signal.
        return running.signal('SIGCONT', stopAsGroup)
      },
      kill: () => running?.signal('SIGKILL', spec().killAsGroup),
    }
  }
}

async function startProcess(
  { spec: specOf, outputs }: ProgramLaunch,
  deps: LaunchDeps,
  calledOff: () => boolean,
  begun: (process: ProgramProcess) => void,
  ended: (exitCode: number | null, signal: string | null) => void,
  listener: LaunchListener,
): Promise<void> {
  const spec = specOf()
  const environment = environmentOf(spec, deps)
  const command = await commandOf(spec, environment)
  if (calledOff()) return
  if (!command.ok) return listener.failed(command.reason)
  await outputs.prepare(spec)
  await deps.turns.wait()
  if (calledOff()) return
  // Only now, so that thousands that wait for their turn do not hold descriptors.
  const stdin = await deps.stdin.descriptor(spec.onOrphan === 'adopt')
  const [stdout, stderr] = await outputs.descriptors(spec).catch((error: unknown) => {
    stdin.release()
    throw error
  })
  try {
    // Once more, because a spawn holds up everything else, and thousands may be ready for it.
    await deps.turns.wait()
    if (calledOff()) return
    const child = spawn(command.file, command.args, {
      // A session and a group of its own: ^C at our terminal is ours, and the group can be ended.
      detached: true,
      stdio: [stdin.stdio, stdout.stdio, stderr.stdio],
      env: environment,
      ...(spec.directory !== undefined && { cwd: spec.directory }),
    })
    child.on('error', error => {
      if (child.pid === undefined) listener.failed(whyNotStarted(error, command.file))
    })
    const { pid } = child
    if (pid === undefined) return
    // `exit`, never `close`: a grandchild may hold the output for ever.
    child.once('exit', ended)
    const startTime = startTimeOf(pid) ?? 0
    remember(spec, { pid, startTime }, deps)
    begun({ pid, startTime, adopted: false, signal: signaller(pid, () => !calledOff()) })
  } finally {
    stdin.release()
    stdout.release()
    stderr.release()
  }
}

/** The pid is ours to signal until its exit was seen; from then on it may be somebody else's. */
function signaller(pid: number, lives: () => boolean): ProgramProcess['signal'] {
  return (signal, group) => {
    if (!lives()) return
    if (group) signalGroup(pid, signal)
    else
      try {
        process.kill(pid, signal)
      } catch {
        // Gone in this very moment: its exit is on the way.
      }
  }
}

function watchAdopted(
  id: ProcessId,
  begun: (process: ProgramProcess) => void,
  ended: (exitCode: number | null, signal: string | null) => void,
  listener: LaunchListener,
  { clock, log }: LaunchDeps,
): void {
  const look = () => {
    if (isAlive(id)) clock.setTimer(ADOPTED_POLL_MS, look)
    // Only its parent learns how it ended, and we are not its parent.
    else ended(null, null)
  }
  log.info({ pid: id.pid }, 'adopted a process that the daemon before has left')
  begun({ ...id, adopted: true, signal: signaller(id.pid, () => isAlive(id)) })
  listener.ready()
  clock.setTimer(ADOPTED_POLL_MS, look)
}

/** It is adopted only if it is what we would start now. */
function adoptable(orphan: Orphan | undefined, spec: ProcessSpec): ProcessId | undefined {
  const leader = orphan?.leader
  if (spec.onOrphan !== 'adopt' || !leader || !isAlive(leader)) return undefined
  return leader.digest === identityOf(spec) ? leader : undefined
}

export function stopOf(spec: ProcessSpec) {
  return { signal: spec.stopSignal, waitMs: spec.restart.stopWaitMs }
}

function remember(spec: ProcessSpec, id: ProcessId, { boot, records, log }: LaunchDeps): void {
  try {
    records.write({ ...id, name: spec.name, boot, digest: identityOf(spec) })
  } catch (error) {
    log.warn({ error: messageOf(error) }, `${spec.name}: its pid could not be noted on disk`)
  }
}

function environmentOf(spec: ProcessSpec, deps: LaunchDeps): Record<string, string> {
  return {
    ...deps.environment,
    SUPERVISOR_ENABLED: '1',
    SUPERVISOR_PROCESS_NAME: spec.process,
    SUPERVISOR_GROUP_NAME: spec.group,
    ...spec.environment,
    [PROGRAM_VARIABLE]: `${deps.instance}/${spec.name}`,
  }
}

/** A digest of all that only a restart can change: when it differs, a running process must be restarted. */
export function identityOf(spec: ProcessSpec): string {
  const { argv, directory, environment, user, umask, stdout, stderr } = spec
  const outputs = [stdout, stderr].map(one =>
    typeof one === 'object' && one.kind === 'file'
      ? [one.kind, one.through, one.through === 'file' ? one.path : '']
      : one,
  )
  return digestOf([argv, directory, environment, user, umask, outputs])
}

/** How long the rest of the group may take to end after the program has ended, ms. */
const ENDING_MS = 200

/** supervisord leaves such processes too. So do we, but the log says so. */
function noteLeftBehind(group: number, spec: ProcessSpec, { clock, log }: LaunchDeps): void {
  if (!signalGroup(group, 0)) return
  clock.setTimer(ENDING_MS, () => {
    if (!signalGroup(group, 0) || !groupLives(group)) return
    log.warn(
      { group },
      `${spec.name} ended and left processes of its group behind; stopasgroup and killasgroup end them on a stop`,
    )
  })
}
