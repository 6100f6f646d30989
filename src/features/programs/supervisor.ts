import type { Logger } from '../../lib/log.ts'
import type { Logs } from '../../logs/logs.ts'
import type { ProcessSpec } from '../../model/program-spec.ts'
import { ManagedProgram, type ProgramDeps } from '../../supervise/managed-program.ts'
import type { Wanted } from '../../supervise/wanted.ts'
import type { DescriptorBudget } from './descriptor-budget.ts'
import {
  identityOf,
  type LaunchDeps,
  type ProgramProcess,
  programLauncher,
  stopOf,
} from './launch.ts'
import { Leftovers } from './leftovers.ts'
import { ProgramOutputs } from './outputs.ts'

export interface SupervisorDeps
  extends ProgramDeps,
    Omit<LaunchDeps, 'clock' | 'log' | 'leftovers'> {
  readonly log: Logger
  readonly wanted: Wanted
  readonly logs: Pick<Logs, 'open' | 'stop'>
  readonly descriptors: DescriptorBudget
}

/** One supervised process, as the rest of the daemon sees it. */
export interface ProgramMember {
  readonly spec: ProcessSpec
  readonly program: ManagedProgram
  readonly process: ProgramProcess | undefined
  readonly outputs: ProgramOutputs
  /** Whether a process of the previous daemon is being ended, whatever its state. */
  readonly leftover: boolean
  /** No longer configured: it is forgotten once it has stopped. */
  readonly retired: boolean
}

interface Member extends ProgramMember {
  spec: ProcessSpec
  process: ProgramProcess | undefined
  retired: boolean
}

/** States in which it runs or is about to: a changed configuration restarts it. */
const TRIES: readonly string[] = ['STARTING', 'RUNNING', 'BACKOFF']

const LIVES: readonly string[] = ['STARTING', 'RUNNING']

/** `wait`: the change takes effect at its next start. `tune`: the change takes effect at once. */
export type Deed = 'restart' | 'start' | 'wait' | 'tune'

/** How a process is ended whose configuration is gone. */
const FORGOTTEN = { signal: 'SIGTERM', waitMs: 10_000 } as const

/** The processes of all programs: started in order of priority, stopped in the opposite one. */
export class Supervisor {
  readonly #deps: SupervisorDeps
  readonly #members = new Map<string, Member>()
  readonly #leftovers: Leftovers
  readonly #launchDeps: LaunchDeps
  #killing = false
  #stopping = false

  constructor(deps: SupervisorDeps) {
    this.#deps = deps
    this.#leftovers = new Leftovers(deps)
    this.#launchDeps = { ...deps, leftovers: this.#leftovers }
  }

  /** From the moment it was told to stop. */
  get stopping(): boolean {
    return this.#stopping
  }

  get members(): readonly ProgramMember[] {
    return [...this.#members.values()]
  }

  /** @param specs in the order of their start */
  async start(specs: readonly ProcessSpec[]): Promise<void> {
    this.#leftovers.find()
    this.configure(specs)
    await this.#endUnwanted()
  }

  /** What a KILLed daemon left and nothing starts again. */
  async #endUnwanted(): Promise<void> {
    const unwanted = this.#leftovers.names.filter(name => {
      const member = this.#members.get(name)
      return member === undefined || member.program.state.name === 'STOPPED'
    })
    await Promise.all(
      unwanted.map(name => {
        const spec = this.#members.get(name)?.spec
        return this.#leftovers.end(name, spec ? stopOf(spec) : FORGOTTEN)
      }),
    )
  }

  /**
   * Applies these specifications. Only processes that have to be restarted are; those stopped by hand
   * stay stopped.
   */
  configure(specs: readonly ProcessSpec[]): void {
    if (this.#stopping) return
    const names = new Set(specs.map(spec => spec.name))
    for (const member of this.#members.values())
      if (!names.has(member.spec.name)) void this.#retire(member)
    for (const spec of specs) this.#apply(spec)
  }

  /** The same for the processes of one program. */
  configureProgram(program: string, specs: readonly ProcessSpec[]): void {
    const others = this.members.filter(one => one.spec.program !== program && !one.retired)
    this.configure([...others.map(one => one.spec), ...specs])
  }

  #apply(spec: ProcessSpec): void {
    const { wanted } = this.#deps
    const known = this.#members.get(spec.name)
    if (!known || known.retired) {
      const member = known ?? this.#add(spec)
      member.spec = spec
      member.retired = false
      if (wanted.runs(spec.name, spec.autostart)) member.program.send({ type: 'start' })
      return
    }
    const deed = this.deedFor(spec)
    known.spec = spec
    known.outputs.retune(spec)
    if (deed === 'restart')
      known.program.send({ type: 'restart', why: 'its configuration changed' })
    else if (deed === 'start') known.program.send({ type: 'start' })
  }

  /** What `configure` does with a process that there is: what `plan` says and `reload` does. */
  deedFor(spec: ProcessSpec): Deed {
    const known = this.#members.get(spec.name)
    if (!known) return 'start'
    const state = known.program.state.name
    const another = identityOf(known.spec) !== identityOf(spec)
    if (another && TRIES.includes(state)) return 'restart'
    if (another && state === 'FATAL') return 'start'
    const turnedOn = !known.spec.autostart && spec.autostart
    if (turnedOn && !LIVES.includes(state) && this.#deps.wanted.runs(spec.name, true))
      return 'start'
    return another ? 'wait' : 'tune'
  }

  async #retire(member: Member): Promise<void> {
    if (member.retired) return
    member.retired = true
    member.program.send({ type: 'stop', why: 'it is no longer configured' })
    await member.program.until('STOPPED')
    // Configured again in the meantime?
    if (!member.retired || this.#members.get(member.spec.name) !== member) return
    this.#members.delete(member.spec.name)
    await member.outputs.close()
  }

  /** Highest priority number first; the next ones only when these have stopped, as Supervisor does. */
  async stop(why: string): Promise<void> {
    this.#stopping = true
    const priorities = [...new Set(this.members.map(one => one.spec.groupPriority))]
    for (const priority of priorities.toSorted((a, b) => b - a)) {
      const batch = this.members
        .filter(one => one.spec.groupPriority === priority)
        .toSorted((a, b) => b.spec.priority - a.spec.priority)
      for (const { program } of batch) program.send({ type: 'stop', why })
      await Promise.all(batch.map(one => one.program.until('STOPPED')))
    }
    // A stopped program may still have a process of the previous daemon.
    await this.#leftovers.settled()
    await Promise.all(this.members.map(one => one.outputs.close()))
    await this.#deps.logs.stop()
  }

  /** From now on a stop is a KILL: of what stops already, and of what will be told to stop. */
  kill(): void {
    this.#killing = true
    this.#leftovers.kill()
    for (const { program } of this.#members.values()) program.hurry()
  }

  reopenLogs(): void {
    for (const { outputs } of this.#members.values()) outputs.reopen()
  }

  #whyStopped(spec: ProcessSpec): string {
    const wish = this.#deps.wanted.get(spec.name)
    if (wish?.state === 'stopped') return `${wish.by}, ${wish.at}`
    return spec.autostart ? 'not started' : 'autostart is off'
  }

  #add(spec: ProcessSpec): Member {
    const leftovers = this.#leftovers
    const { logs, descriptors } = this.#deps
    const outputs = new ProgramOutputs(output => logs.open(output), descriptors)
    const launch = programLauncher(
      {
        spec: () => member.spec,
        outputs,
        killing: () => this.#killing,
        onProcess: process => {
          member.process = process
        },
      },
      this.#launchDeps,
    )
    const policy = () => member.spec.restart
    const member: Member = {
      spec,
      program: new ManagedProgram(spec.name, launch, policy, this.#deps, this.#whyStopped(spec)),
      process: undefined,
      outputs,
      get leftover() {
        return leftovers.isEnding(spec.name)
      },
      retired: false,
    }
    this.#members.set(spec.name, member)
    return member
  }
}
