import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  newProgram,
  type Program,
  type ProgramEffect,
  type ProgramEvent,
  type RestartPolicy,
  step,
} from '../../src/model/program-state.ts'

const policyOf: fc.Arbitrary<RestartPolicy> = fc.record({
  autorestart: fc.constantFrom('always', 'unexpected', 'never'),
  exitCodes: fc.constantFrom([], [0], [0, 2]),
  startMs: fc.constantFrom(0, 1000, 10_000),
  backoff: fc.constant({ baseMs: 1000, factor: 2, capMs: 60_000, jitter: 0.2 }),
  maxQuick: fc.constantFrom(1, 4, Number.POSITIVE_INFINITY),
  maxDeaths: fc.constantFrom(1, 3, 5, Number.POSITIVE_INFINITY),
  windowMs: fc.constantFrom(10_000, 60_000),
  fatalRetryMs: fc.constantFrom(0, 300_000),
  stopWaitMs: fc.constantFrom(2000, 10_000),
})

/**
 * What a machine really has: at most one process, at most one timer. It obeys the effects and
 * knows nothing of the states.
 */
class World {
  program: Program
  now = 0
  child: 'none' | 'launching' | 'alive' = 'none'
  timer: number | undefined
  kills = 0
  spawns = 0
  readonly policy: RestartPolicy
  readonly random: () => number

  constructor(policy: RestartPolicy, random: () => number) {
    this.policy = policy
    this.random = random
    this.program = newProgram(0)
  }

  get name() {
    return this.program.state.name
  }

  send(event: ProgramEvent): void {
    const { program, effects } = step(this.program, event, this.policy, this.now, this.random())
    this.program = program
    for (const effect of effects) this.obey(effect)
    this.check()
  }

  obey(effect: ProgramEffect): void {
    switch (effect.type) {
      case 'spawn':
        // The one thing that must never happen: a second process beside a living one.
        assert.equal(this.child, 'none')
        this.child = 'launching'
        this.spawns += 1
        this.kills = 0
        break
      case 'terminate':
        assert.notEqual(this.child, 'none')
        break
      case 'kill':
        assert.equal(this.name, 'STOPPING')
        this.kills += 1
        break
      case 'timer':
        assert.ok(effect.ms > 0)
        this.timer = this.now + effect.ms
        break
      case 'no-timer':
        this.timer = undefined
    }
  }

  check(): void {
    const { state } = this.program
    const alive =
      { STARTING: true, RUNNING: true, STOPPING: true }[state.name as 'RUNNING'] ?? false
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
    this.send({ type: 'spawned', pid: 1000 + this.spawns })
  }

  exit(exitCode: number | null): void {
    if (this.child === 'none') return
    this.child = 'none'
    this.send({ type: 'exited', exitCode, signal: exitCode === null ? 'SIGKILL' : null })
  }

  failToLaunch(): void {
    if (this.child !== 'launching') return
    this.child = 'none'
    this.send({ type: 'spawn-failed', error: 'ENOENT' })
  }
}

const action: fc.Arbitrary<(world: World) => void> = fc.oneof(
  fc.constantFrom<(world: World) => void>(
    world => world.send({ type: 'start' }),
    world => world.send({ type: 'stop', why: 'by hand' }),
    world => world.send({ type: 'restart', why: 'by hand' }),
    world => world.spawned(),
    world => world.spawned(),
    world => world.failToLaunch(),
    world => world.send({ type: 'ready' }),
    world => world.exit(0),
    world => world.exit(1),
    world => world.exit(null),
  ),
  fc
    .constantFrom(1, 400, 1000, 1300, 6000, 90_000, 400_000)
    .map(ms => (world: World) => world.pass(ms)),
)

const life = fc.record({
  policy: policyOf,
  random: fc.double({ min: 0, max: 0.999, noNaN: true }),
  actions: fc.array(action, { maxLength: 60 }),
})

function lived({
  policy,
  random,
  actions,
}: {
  policy: RestartPolicy
  random: number
  actions: ((world: World) => void)[]
}) {
  const world = new World(policy, () => random)
  for (const act of actions) act(world)
  return world
}

test('whatever happens: never two processes, and a timer exactly in the states that wait', () => {
  const check = () =>
    fc.assert(
      fc.property(life, one => {
        // The world itself refuses what must not be.
        lived(one)
      }),
      { numRuns: 3000 },
    )
  expect(check).not.toThrow()
})

test('a stop always ends, though the process ignores TERM and outlives KILLs', () => {
  fc.assert(
    fc.property(life, fc.integer({ min: 1, max: 4 }), fc.boolean(), (one, needed, launches) => {
      const world = lived(one)
      world.send({ type: 'stop', why: 'enough' })
      if (launches) world.spawned()
      const before = world.kills
      while (world.child !== 'none' && world.kills - before < needed) {
        expect(world.name).toBe('STOPPING')
        world.pass(one.policy.stopWaitMs)
      }
      world.exit(null)
      expect([world.name, world.child, world.timer]).toEqual(['STOPPED', 'none', undefined])
      world.pass(10_000_000)
      expect(world.name).toBe('STOPPED')
    }),
    { numRuns: 2000 },
  )
})

test('a start or a restart always leads to a running process, once it is a healthy one', () => {
  fc.assert(
    fc.property(life, fc.constantFrom('start', 'restart'), (one, type) => {
      const world = lived(one)
      world.send(type === 'start' ? { type } : { type, why: 'by hand' })
      for (let n = 0; n < 10 && world.name !== 'RUNNING'; n += 1) {
        world.spawned()
        if (world.name === 'STOPPING') world.exit(null)
        else world.pass(one.policy.startMs)
      }
      expect([world.name, world.child]).toEqual(['RUNNING', 'alive'])
      world.pass(10_000_000)
      expect(world.name).toBe('RUNNING')
    }),
    { numRuns: 2000 },
  )
})

const ordinary: RestartPolicy = {
  autorestart: 'always',
  exitCodes: [0],
  startMs: 1000,
  backoff: { baseMs: 1000, factor: 2, capMs: 60_000, jitter: 0.2 },
  maxQuick: 5,
  maxDeaths: 5,
  windowMs: 60_000,
  fatalRetryMs: 300_000,
  stopWaitMs: 10_000,
}

test.each([0, 1, 999, 1200, 1300, 10_000])(
  'a program that dies after %d ms each time is given up, and tried again every 5 minutes',
  lifetime => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.integer({ min: 0, max: 255 }),
        (random, code) => {
          const world = new World(ordinary, () => random)
          world.send({ type: 'start' })
          const live = () => {
            world.spawned()
            world.pass(lifetime)
            world.exit(code)
          }
          for (let n = 0; n < 5; n += 1) {
            expect(world.name).not.toBe('FATAL')
            live()
            if (n < 4 && world.name === 'BACKOFF') world.pass(72_000)
          }
          expect([world.name, world.spawns]).toEqual(['FATAL', 5])
          world.pass(299_999)
          expect(world.name).toBe('FATAL')
          world.pass(1)
          expect([world.name, world.spawns]).toEqual(['STARTING', 6])
          // Still as bad as before: no more than another row of deaths until it is given up again.
          for (let n = 0; n < 5 && world.child === 'launching'; n += 1) live()
          expect(world.name).toBe('FATAL')
        },
      ),
      { numRuns: 20 },
    )
  },
)

test('quick deaths wait 1, 2, 4, 8 s with at most a fifth of jitter; a healthy life forgets them', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), random => {
      const world = new World({ ...ordinary, maxQuick: 100, maxDeaths: 100 }, () => random)
      world.send({ type: 'start' })
      for (const plain of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
        world.spawned()
        world.exit(1)
        const wait = (world.timer ?? 0) - world.now
        expect(wait).toBeGreaterThanOrEqual(plain * 0.8 - 1)
        expect(wait).toBeLessThanOrEqual(plain * 1.2 + 1)
        world.pass(wait)
      }
      world.spawned()
      world.pass(100_000)
      world.exit(1)
      expect(world.name).toBe('STARTING')
      world.spawned()
      world.exit(1)
      expect((world.timer ?? 0) - world.now).toBeLessThanOrEqual(1201)
    }),
  )
})

test('a program that dies now and then, far apart, is never given up', () => {
  const world = new World(ordinary, () => 0.5)
  world.send({ type: 'start' })
  for (let n = 0; n < 50; n += 1) {
    world.spawned()
    world.pass(20_000)
    world.exit(1)
    expect(world.name).toBe('STARTING')
  }
})
