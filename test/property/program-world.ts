import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import {
  newProgram,
  type Program,
  type ProgramEffect,
  type ProgramEvent,
  type RestartPolicy,
} from '../../src/model/program-state.ts'
import { step } from '../../src/model/program-step.ts'

/** What could be seen from outside, in the order in which it happened. */
export type Fact = { readonly at: number } & (
  | { readonly what: 'start' | 'stop' | 'restart' }
  | { readonly what: 'spawn' | 'pid' | 'ready' | 'terminate' | 'kill' }
  /** `null`: by a signal; `failed`: there never was a process. */
  | { readonly what: 'end'; readonly exitCode: number | null | 'failed' }
)

/** What a person may ask for. */
export type Request = 'start' | 'stop' | 'restart'

/**
 * What a machine really has: at most one process, at most one timer. It obeys the effects and
 * knows nothing of the states.
 */
export class World {
  program: Program
  now = 0
  child: 'none' | 'launching' | 'alive' = 'none'
  timer: number | undefined
  kills = 0
  spawns = 0
  readonly log: Fact[] = []
  readonly policy: RestartPolicy
  readonly random: () => number

  constructor(policy: RestartPolicy, random: () => number = () => 0.5) {
    this.policy = policy
    this.random = random
    this.program = newProgram(0)
  }

  get name() {
    return this.program.state.name
  }

  ask(request: Request): void {
    this.log.push({ at: this.now, what: request })
    this.send(request === 'start' ? { type: request } : { type: request, why: 'by hand' })
  }

  /** Lets time pass, with the timers that come in it. */
  pass(ms: number): void {
    const end = this.now + ms
    while (this.timer !== undefined && this.timer <= end) {
      this.now = this.timer
      this.timer = undefined
      this.send({ type: 'due' })
    }
    this.now = end
  }

  spawned(): void {
    if (this.child !== 'launching') return
    this.child = 'alive'
    this.log.push({ at: this.now, what: 'pid' })
    this.send({ type: 'spawned', pid: 1000 + this.spawns })
  }

  ready(): void {
    if (this.child === 'alive') this.log.push({ at: this.now, what: 'ready' })
    this.send({ type: 'ready' })
  }

  exit(exitCode: number | null): void {
    if (this.child === 'none') return
    this.child = 'none'
    this.log.push({ at: this.now, what: 'end', exitCode })
    this.send({ type: 'exited', exitCode, signal: exitCode === null ? 'SIGKILL' : null })
  }

  failToLaunch(): void {
    if (this.child !== 'launching') return
    this.child = 'none'
    this.log.push({ at: this.now, what: 'end', exitCode: 'failed' })
    this.send({ type: 'spawn-failed', error: 'ENOENT' })
  }

  /** One whole life, from the spawn that was asked for to its end. */
  live(ms: number, exitCode: number | null): void {
    this.spawned()
    this.pass(ms)
    this.exit(exitCode)
  }

  private send(event: ProgramEvent): void {
    const { program, effects } = step(this.program, event, this.policy, this.now, this.random())
    this.program = program
    for (const effect of effects) this.obey(effect)
    this.check()
  }

  private obey(effect: ProgramEffect): void {
    if (effect.type === 'timer') {
      assert.ok(effect.ms > 0)
      this.timer = this.now + effect.ms
      return
    }
    if (effect.type === 'no-timer') {
      this.timer = undefined
      return
    }
    this.log.push({ at: this.now, what: effect.type })
    if (effect.type === 'kill') this.kills += 1
    if (effect.type !== 'spawn') {
      assert.notEqual(this.child, 'none', `a ${effect.type} for nobody`)
      return
    }
    // The one thing that must never happen: a second process beside a living one.
    assert.equal(this.child, 'none')
    this.child = 'launching'
    this.spawns += 1
    this.kills = 0
  }

  private check(): void {
    const { state } = this.program
    const alive = ['STARTING', 'RUNNING', 'STOPPING'].includes(state.name)
    assert.equal(this.child !== 'none', alive, state.name)
    const waits =
      state.name === 'BACKOFF' ||
      state.name === 'STOPPING' ||
      (state.name === 'STARTING' && state.pid !== undefined) ||
      (state.name === 'FATAL' && state.retryAt !== undefined)
    assert.equal(this.timer !== undefined, waits, state.name)
    if (state.name === 'BACKOFF' || (state.name === 'FATAL' && state.retryAt !== undefined))
      assert.equal(this.timer, state.retryAt)
    assert.equal(this.program.spawns, this.spawns)
  }
}

/** For the jitter. */
export const luck = fc.double({ min: 0, max: 0.999, noNaN: true })
/** How an unexpected end may look: by a signal, or with a code that is not 0. */
export const badEnd = fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 255 }))

const policyOf: fc.Arbitrary<RestartPolicy> = fc.record({
  autorestart: fc.constantFrom('always', 'unexpected', 'never'),
  exitCodes: fc.constantFrom([], [0], [0, 2]),
  startMs: fc.constantFrom(0, 1000, 10_000),
  backoff: fc.constant({ baseMs: 1000, factor: 2, capMs: 60_000, jitter: 0.2 }),
  maxQuick: fc.constantFrom(1, 2, 4, Number.POSITIVE_INFINITY),
  maxDeaths: fc.constantFrom(1, 3, 5, Number.POSITIVE_INFINITY),
  windowMs: fc.constantFrom(10_000, 60_000),
  fatalRetryMs: fc.constantFrom(0, 5000, 300_000),
  stopWaitMs: fc.constantFrom(2000, 10_000),
})

export type Action = (world: World) => void

const passing: fc.Arbitrary<Action> = fc
  .constantFrom(1, 400, 1000, 1300, 6000, 90_000, 400_000)
  .map(ms => world => world.pass(ms))

/** To its second chance, where it gets one. */
const crashUntilGivenUp: Action = world => {
  for (let n = 0; n < 6 && world.child === 'launching'; n += 1) {
    world.live(0, 1)
    const rest = (world.timer ?? world.now) - world.now
    world.pass(rest)
    if (rest === world.policy.fatalRetryMs) break
  }
}

/** What a process and the time may do, with nobody asking for anything. */
export const unasked: fc.Arbitrary<Action> = fc.oneof(
  { weight: 2, arbitrary: passing },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Action>(
      world => world.spawned(),
      world => world.failToLaunch(),
      world => world.ready(),
      world => world.exit(0),
      world => world.exit(1),
      world => world.exit(null),
      world => world.live(0, 1),
      world => world.live(0, 0),
      world => world.live(1200, 1),
      world => world.live(1300, null),
      world => world.live(12_000, 0),
      crashUntilGivenUp,
    ),
  },
)

const asking: fc.Arbitrary<Action> = fc
  .constantFrom('start' as const, 'start' as const, 'stop' as const, 'restart' as const)
  .map(request => world => world.ask(request))

/** A program with whatever may happen to it. */
export interface Life {
  readonly policy: RestartPolicy
  readonly random: number
  readonly actions: readonly Action[]
}

export const life: fc.Arbitrary<Life> = fc.record({
  policy: policyOf,
  random: luck,
  actions: fc.array(fc.oneof({ weight: 1, arbitrary: asking }, { weight: 4, arbitrary: unasked }), {
    maxLength: 60,
  }),
})

/** @param after is called after each action */
export function lived({ policy, random, actions }: Life, after: Action = () => undefined): World {
  const world = new World(policy, () => random)
  for (const act of actions) {
    act(world)
    after(world)
  }
  return world
}

/** As the daemon keeps a program when nothing else is said. */
export const ordinary: RestartPolicy = {
  autorestart: 'always',
  exitCodes: [0],
  startMs: 1000,
  backoff: { baseMs: 1000, factor: 2, capMs: 60_000, jitter: 0.2 },
  maxQuick: 4,
  maxDeaths: 5,
  windowMs: 60_000,
  fatalRetryMs: 300_000,
  stopWaitMs: 10_000,
}
