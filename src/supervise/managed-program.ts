import type { Clock, Timer } from '../lib/clock.ts'
import type { Events } from '../model/events.ts'
import {
  newProgram,
  type Program,
  type ProgramEffect,
  type ProgramEvent,
  type ProgramState,
  type RestartPolicy,
} from '../model/program-state.ts'
import { step } from '../model/program-step.ts'

/** A process that was launched, as its supervisor sees it. */
export interface Launched {
  /** Asks it to end, in the way it likes best. */
  terminate(): void
  /** Ends it at once. */
  kill(): void
}

/** What a launch reports. */
export interface LaunchListener {
  spawned(pid: number): void
  failed(error: string): void
  ready(): void
  exited(exitCode: number | null, signal: string | null): void
}

/** How one kind of child is started. A launch may take its time before it reports `spawned`. */
export type Launch = (listener: LaunchListener, spawns: number) => Launched

export interface ProgramDeps {
  readonly clock: Clock
  readonly events: Events
  readonly random: () => number
}

/**
 * One supervised child: the pure state machine with its timer and its process. Events are
 * handled one after another, and an old incarnation's are not heard any more.
 */
export class ManagedProgram {
  readonly name: string
  readonly #launch: Launch
  readonly #policy: () => RestartPolicy
  readonly #deps: ProgramDeps
  #program: Program
  #launched: Launched | undefined
  #timer: Timer | undefined
  #generation = 0
  #busy = false
  readonly #mailbox: ProgramEvent[] = []
  readonly #watchers = new Set<(state: ProgramState) => void>()

  /** @param why it is not running yet, in words */
  constructor(
    name: string,
    launch: Launch,
    policy: () => RestartPolicy,
    deps: ProgramDeps,
    why = 'not started',
  ) {
    this.name = name
    this.#launch = launch
    this.#policy = policy
    this.#deps = deps
    this.#program = newProgram(deps.clock.monotonic(), why)
  }

  get program(): Program {
    return this.#program
  }

  get state(): ProgramState {
    return this.#program.state
  }

  get pid(): number | undefined {
    return 'pid' in this.state ? this.state.pid : undefined
  }

  send(event: ProgramEvent): void {
    this.#mailbox.push(event)
    if (this.#busy) return
    this.#busy = true
    try {
      for (let next = this.#mailbox.shift(); next; next = this.#mailbox.shift()) this.#handle(next)
    } finally {
      this.#busy = false
    }
  }

  /** Asks a child that is stopping once more: the launch may know a quicker way by now. */
  hurry(): void {
    if (this.state.name === 'STOPPING') this.#launched?.terminate()
  }

  /**
   * Resolves when it is in one of these states, at once if it is already.
   * @param limitMs resolves then all the same, with the state it is in
   */
  untilWithin(limitMs: number, ...names: readonly ProgramState['name'][]): Promise<ProgramState> {
    if (names.includes(this.state.name)) return Promise.resolve(this.state)
    return new Promise(resolve => {
      const end = (state: ProgramState) => {
        this.#watchers.delete(watch)
        timer.cancel()
        resolve(state)
      }
      const watch = (state: ProgramState) => {
        if (names.includes(state.name)) end(state)
      }
      const timer = this.#deps.clock.setTimer(limitMs, () => end(this.state))
      this.#watchers.add(watch)
    })
  }

  /** Resolves when it is in one of these states, at once if it is already. */
  until(...names: readonly ProgramState['name'][]): Promise<ProgramState> {
    if (names.includes(this.state.name)) return Promise.resolve(this.state)
    return new Promise(resolve => {
      const watch = (state: ProgramState) => {
        if (!names.includes(state.name)) return
        this.#watchers.delete(watch)
        resolve(state)
      }
      this.#watchers.add(watch)
    })
  }

  #handle(event: ProgramEvent): void {
    const { clock, random } = this.#deps
    const before = this.#program.state
    const { program, effects } = step(
      this.#program,
      event,
      this.#policy(),
      clock.monotonic(),
      random(),
    )
    this.#program = program
    for (const effect of effects) this.#apply(effect)
    if (program.state === before) return
    this.#deps.events.emit({
      type: 'program',
      name: this.name,
      from: before.name,
      state: program.state,
      detail: program.lastEnd,
    })
    for (const watch of this.#watchers) watch(program.state)
  }

  #apply(effect: ProgramEffect): void {
    switch (effect.type) {
      case 'spawn':
        return this.#spawn()
      case 'terminate':
        return this.#launched?.terminate()
      case 'kill':
        return this.#launched?.kill()
      case 'no-timer':
        return this.#timer?.cancel()
      case 'timer':
        this.#timer?.cancel()
        this.#timer = this.#deps.clock.setTimer(effect.ms, () => this.send({ type: 'due' }))
        return undefined
    }
  }

  #spawn(): void {
    this.#generation += 1
    const generation = this.#generation
    const report = (event: ProgramEvent) => {
      if (generation === this.#generation) this.send(event)
    }
    this.#launched = this.#launch(
      {
        spawned: pid => report({ type: 'spawned', pid }),
        failed: error => report({ type: 'spawn-failed', error }),
        ready: () => report({ type: 'ready' }),
        exited: (exitCode, signal) => report({ type: 'exited', exitCode, signal }),
      },
      this.#program.spawns,
    )
  }
}
