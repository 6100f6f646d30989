import type { Logger } from '../lib/log.ts'
import type { FromWorker, OpenRow, RunStarted, WorkerInit, WorkerLimits } from '../model/ipc.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import { ManagedProgram, type ProgramDeps } from '../supervise/managed-program.ts'
import type { Wanted } from '../supervise/wanted.ts'
import { type WorkerProcess, workerLauncher } from './launch-worker.ts'
import type { RunOutputs } from './run-outputs.ts'
import { workerPolicy } from './worker-policy.ts'

export interface PoolDeps extends ProgramDeps {
  readonly node: string
  readonly instance: string
  readonly redisUrl: string
  readonly log: Logger
  readonly wanted: Wanted
  readonly outputs: RunOutputs
  readonly limits: () => WorkerLimits
  /** How long running tasks may go on when a worker is told to leave, ms; 0 when in a hurry. */
  readonly stopWaitMs: () => number
  /** See Recovery: an earlier daemon's worker of this name. */
  readonly predecessorsOf: (workerId: string) => readonly number[]
  /** A run needs its row of `execute_task`; the answer goes to the worker. */
  readonly openRow: (workerId: string, ask: OpenRow, worker: WorkerProcess | undefined) => void
  /** A worker process ended; its tasks may want to be given back. */
  readonly onExit: () => void
}

/** One worker of a pool, as the rest of the daemon sees it. */
export interface PoolMember {
  readonly program: ManagedProgram
  readonly spec: QueueSpec
  readonly process: WorkerProcess | undefined
  readonly runs: ReadonlyMap<string, RunStarted>
  /** Figures of the last sample. */
  usage: { cpu: number; memory: number }
}

interface Member extends PoolMember {
  spec: QueueSpec
  process: WorkerProcess | undefined
  readonly runs: Map<string, RunStarted>
  /** Heartbeats that passed without a message from it. */
  silence: number
}

const PREDECESSOR_POLL_MS = 50
/** After this many silent heartbeats in a row a worker counts as stuck. */
const SILENT_LOOKS = 6

/** The worker processes of one queue on this node. */
export class WorkerPool {
  readonly #deps: PoolDeps
  readonly #members = new Map<string, Member>()
  #spec: QueueSpec

  constructor(spec: QueueSpec, deps: PoolDeps) {
    this.#spec = spec
    this.#deps = deps
  }

  get spec(): QueueSpec {
    return this.#spec
  }

  get members(): readonly PoolMember[] {
    return [...this.#members.values()]
  }

  /** The workers that a change restarts; not those that people have stopped. */
  get restartable(): readonly PoolMember[] {
    const { wanted } = this.#deps
    return this.members.filter(
      ({ program }) => program.state.name !== 'STOPPED' && wanted.runs(program.name, true),
    )
  }

  /** As many workers as the configuration says. */
  start(): void {
    this.scale(this.#spec.workers)
  }

  /** Starts what is missing; asks the last ones to finish and leave when there are too many. */
  scale(workers: number): void {
    for (let n = 1; n <= workers; n += 1) {
      const name = this.#nameOf(n)
      const member = this.#members.get(name) ?? this.#add(name)
      // One that was stopped by hand stays so until a person starts it.
      if (this.#deps.wanted.runs(name, true)) member.program.send({ type: 'start' })
    }
    for (const [name, member] of this.#members)
      if (Number(name.slice(name.lastIndexOf('-') + 1)) > workers)
        void this.#retire(name, member.program)
  }

  /**
   * Takes over a changed configuration; restarts the workers only when they cannot be told.
   * @param taking false while the node drains: what has left, or leaves, is not started again
   */
  reconfigure(spec: QueueSpec, taking: boolean): void {
    const old = this.#spec
    this.#spec = spec
    for (const member of this.#members.values()) member.spec = spec
    if (!taking) return this.tune()
    const told = {
      ...old,
      workers: spec.workers,
      concurrency: spec.concurrency,
      capacity: spec.capacity,
    }
    const restart = JSON.stringify(told) !== JSON.stringify(spec)
    if (restart)
      for (const { program } of this.restartable)
        program.send({ type: 'restart', why: 'its configuration changed' })
    else this.tune()
    this.scale(spec.workers)
  }

  /** Tells live workers the limits as they are now. */
  tune(): void {
    const { concurrency } = this.#spec
    const message = { type: 'tune', concurrency, limits: this.#deps.limits() } as const
    for (const member of this.#members.values()) member.process?.post(message)
  }

  /**
   * Ends workers that are stuck (stopped by a signal, looping, swapped out): their runs and tasks
   * are then taken care of like those of any dead worker. Called once each heartbeat. Looks are
   * counted rather than time: a master that was stuck itself has to find its mail first.
   */
  endSilent(): void {
    for (const member of this.#members.values()) {
      if (member.process === undefined) continue
      member.silence += 1
      if (member.silence <= SILENT_LOOKS) continue
      member.silence = 0
      this.#deps.log.error(
        { worker: member.program.name },
        'a worker has gone silent and is killed',
      )
      member.process.kill()
    }
  }

  cancel(id: string, reason: string): void {
    for (const member of this.#members.values())
      member.process?.post({ type: 'cancel', id, reason })
  }

  /** Asks every worker to finish and leave; resolves when all have. */
  async stop(why: string): Promise<void> {
    for (const { program } of this.#members.values()) program.send({ type: 'stop', why })
    await Promise.all(
      [...this.#members.values()].map(member => member.program.until('STOPPED', 'EXITED', 'FATAL')),
    )
  }

  hurry(): void {
    for (const { program } of this.#members.values()) program.hurry()
  }

  async #retire(name: string, program: ManagedProgram): Promise<void> {
    program.send({ type: 'stop', why: 'fewer workers wanted' })
    await program.until('STOPPED', 'EXITED', 'FATAL')
    // Wanted again in the meantime?
    if (program.state.name === 'STOPPED') this.#members.delete(name)
  }

  #nameOf(n: number): string {
    return `${this.#deps.node}-${this.#spec.taskKey}-${n}`
  }

  #add(name: string): Member {
    const deps = this.#deps
    const runs = new Map<string, RunStarted>()
    const launch = workerLauncher({
      workerId: name,
      instance: deps.instance,
      init: restartNum => this.#initOf(name, restartNum),
      predecessorGone: () => this.#predecessorGone(name),
      stopWaitMs: deps.stopWaitMs,
      onMessage: message => this.#hear(name, message),
      onProcess: worker => {
        member.process = worker
      },
      onExit: () => {
        runs.clear()
        member.usage = { cpu: 0, memory: 0 }
        deps.onExit()
      },
    })
    const member: Member = {
      program: new ManagedProgram(name, launch, () => workerPolicy(deps), deps),
      spec: this.#spec,
      process: undefined,
      runs,
      usage: { cpu: 0, memory: 0 },
      silence: 0,
    }
    this.#members.set(name, member)
    return member
  }

  #initOf(workerId: string, restartNum: number): WorkerInit {
    const { node, instance, redisUrl, limits } = this.#deps
    const queue = this.#spec
    return { type: 'init', workerId, node, instance, redisUrl, queue, restartNum, limits: limits() }
  }

  /**
   * A sync queue runs one task at a time, so its worker waits for the one that a KILLed daemon
   * left finishing. An async worker starts beside it.
   */
  async #predecessorGone(name: string): Promise<void> {
    if (this.#spec.mode !== 'sync') return
    const { clock, predecessorsOf } = this.#deps
    while (predecessorsOf(name).length > 0) await clock.sleep(PREDECESSOR_POLL_MS)
  }

  #hear(name: string, message: FromWorker): void {
    const { events, log } = this.#deps
    const member = this.#members.get(name)
    if (member) member.silence = 0
    const runs = member?.runs
    switch (message.type) {
      case 'ready':
        return this.#deps.outputs.ready(name)
      case 'output':
        return this.#deps.outputs.hear(name, message)
      case 'pulse':
        return undefined
      case 'open-row':
        return this.#deps.openRow(name, message, member?.process)
      case 'started':
        runs?.set(message.id, message)
        return events.emit({ type: 'run-started', workerId: name, run: message })
      case 'ended':
        runs?.delete(message.id)
        return events.emit({ type: 'run-ended', workerId: name, run: message })
      case 'log':
        return log[message.level]({ worker: name, ...message.fields }, message.msg)
    }
  }
}
