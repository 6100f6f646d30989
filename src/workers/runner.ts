import type { Clock } from '../lib/clock.ts'
import { codeOf, messageOf } from '../lib/errors.ts'
import { groupLives, signalGroup } from '../lib/proc.ts'
import { lookUpUser } from '../lib/users.ts'
import { judgeFunction } from '../model/function-call.ts'
import { failedByStderr, judge, type RunResult } from '../model/run-result.ts'
import type { Task } from '../model/task.ts'
import { commandOf } from './command.ts'
import { RpcRun } from './rpc.ts'
import {
  type Cause,
  NO_EXIT,
  type Run,
  type RunOptions,
  type StopCause,
  type Stopped,
  stoppedBy,
} from './run.ts'
import type { Exit, OutputListener, Spawned, Spawner, SpawnSpec } from './spawn.ts'

export type { Run, RunOptions, Stopped } from './run.ts'

/** How long a KILLed group may take to be reaped before it is left to the kernel. */
const REAP_MS = 2000
const TRANSIENT: ReadonlySet<string> = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'])

/**
 * Runs one task, as one process group or as one request, and tells how it ended; it never throws.
 */
export function startRun(options: RunOptions, spawner: Spawner, clock: Clock): Run {
  const run =
    options.task.call === 'rpc' ? new RpcRun(options, clock) : new ProcessRun(options, clock)
  return {
    ending: run.run(spawner),
    stop: (cause, reason) => run.stop(cause, reason),
    watch: listener => run.watch(listener),
  }
}

/** @param options `failOnStderr`: a file of bin_path that writes to standard error has failed */
export function verdictOn(
  task: Task,
  ended: Stopped,
  { failOnStderr = false }: { readonly failOnStderr?: boolean } = {},
): RunResult {
  if (task.call === 'function') return judgeFunction(task.function, ended)
  const result = judge(ended)
  const fails = failOnStderr && task.call === 'bin' && ended.errors > 0
  return fails && result.kind === '' ? failedByStderr(result, ended.output) : result
}

class ProcessRun {
  readonly #options: RunOptions
  readonly #clock: Clock
  #file = ''
  #directory = ''
  #group: number | undefined
  #cause: Cause | undefined
  #killTimer: { cancel(): void } | undefined
  #spawned: Spawned | undefined
  #listener: OutputListener | undefined

  constructor(options: RunOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
  }

  async run(spawner: Spawner): Promise<Stopped> {
    const spawned = await this.#spawn(spawner).catch((error: unknown) => messageOf(error))
    if (typeof spawned === 'string') return this.#ending(NO_EXIT, spawned)
    this.#group = spawned.pid
    this.#spawned = spawned
    // Asked to stop while starting: done now that there is something to stop.
    if (this.#cause) this.#terminate()
    this.#options.onPid(spawned.pid)
    if (this.#listener) spawned.watch(this.#listener)
    const { maxRunTimeMs } = this.#options
    const limit = this.#clock.setTimer(maxRunTimeMs, () =>
      this.stop('timeout', `ran longer than ${maxRunTimeMs / 1000} s`),
    )
    const exit = await spawned.exit
    limit.cancel()
    await this.#endGroup(spawned.pid)
    this.#killTimer?.cancel()
    if (exit instanceof Error) return this.#ending(NO_EXIT, this.#explain(exit))
    return this.#ending(exit)
  }

  stop(kind: StopCause, reason: string): void {
    if (this.#cause) return
    this.#cause = { kind, reason }
    if (this.#group !== undefined) this.#terminate()
  }

  watch(listener: OutputListener | undefined): void {
    this.#listener = listener
    this.#spawned?.watch(listener)
  }

  /** @returns the process, or why there is none */
  async #spawn(spawner: Spawner): Promise<Spawned | string> {
    const { task } = this.#options
    const command = commandOf(task, this.#options)
    if (!command.ok) return command.reason
    const user = task.user === undefined ? undefined : await lookUpUser(task.user)
    this.#file = command.file
    this.#directory = command.directory
    const spawned = await this.#patiently(spawner, {
      file: command.file,
      args: command.args,
      directory: command.directory,
      environment: {
        ...this.#options.environment,
        ...(user && { HOME: user.home, USER: user.name, LOGNAME: user.name }),
        ...task.environment,
      },
      ...(user && user.uid !== process.getuid?.() && { uid: user.uid, gid: user.gid }),
    })
    return spawned instanceof Error ? this.#explain(spawned) : spawned
  }

  #explain(error: Error): string {
    return explain(error, this.#file, this.#directory)
  }

  /**
   * Tries again when the machine is out of processes or memory for a moment: that is not the task's
   * fault.
   */
  async #patiently(spawner: Spawner, spec: SpawnSpec): Promise<Spawned | Error> {
    for (let waitMs = 100; ; waitMs *= 2) {
      const spawned = await spawner(spec)
      const transient = spawned instanceof Error && TRANSIENT.has(codeOf(spawned))
      if (!transient || waitMs > 10_000 || this.#cause) return spawned
      await this.#clock.sleep(waitMs)
    }
  }

  #terminate(): void {
    const group = this.#group
    if (group === undefined) return
    signalGroup(group, 'SIGTERM')
    // A halted process must go on to end.
    signalGroup(group, 'SIGCONT')
    this.#killTimer ??= this.#clock.setTimer(this.#options.killWaitMs, () =>
      signalGroup(group, 'SIGKILL'),
    )
  }

  /** A run is over when its whole group is: what it left running is ended the same way. */
  async #endGroup(group: number): Promise<void> {
    if (!groupLives(group)) return
    this.#terminate()
    const deadline = this.#clock.monotonic() + this.#options.killWaitMs + REAP_MS
    for (
      let wait = 5;
      groupLives(group) && this.#clock.monotonic() < deadline;
      wait = Math.min(wait * 2, 100)
    )
      await this.#clock.sleep(wait)
  }

  #ending(exit: Exit, spawnFailure?: string): Stopped {
    if (this.#cause) return stoppedBy(this.#cause, exit)
    if (spawnFailure !== undefined) return { ...exit, cause: 'spawn', reason: spawnFailure }
    return exit
  }
}

function explain(error: Error, file: string, directory: string): string {
  switch (codeOf(error)) {
    case 'ENOENT':
      return `cannot start ${file}: not found (or directory ${directory} does not exist)`
    case 'EACCES':
      return `cannot start ${file}: no permission (or no access to directory ${directory})`
    case 'E2BIG':
      return `cannot start ${file}: its arguments and environment are too long for the system`
    case 'ETXTBSY':
      return `cannot start ${file}: somebody is writing to it (ETXTBSY)`
    case 'EMFILE':
    case 'ENFILE':
      return `cannot start ${file}: no file descriptor to spare (${codeOf(error)})`
    case 'EAGAIN':
      return `cannot start ${file}: the system has no process to spare (EAGAIN)`
    default:
      return `cannot start ${file}: ${messageOf(error)}`
  }
}
