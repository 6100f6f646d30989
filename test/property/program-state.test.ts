import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { badEnd, life, lived, luck, ordinary, unasked, World } from './program-world.ts'

test('whatever happens: never two processes, and a timer exactly in the states that wait', () => {
  // The world itself refuses what must not be.
  const check = () =>
    fc.assert(
      fc.property(life, one => void lived(one)),
      { numRuns: 3000 },
    )
  expect(check).not.toThrow()
})

describe('a stop', () => {
  test('always ends it, though the process ignores TERM and outlives KILLs', () => {
    fc.assert(
      fc.property(life, fc.integer({ min: 1, max: 4 }), fc.boolean(), (one, needed, launches) => {
        const world = lived(one)
        world.ask('stop')
        if (launches) world.spawned()
        const before = world.kills
        while (world.child !== 'none' && world.kills - before < needed) {
          expect(world.name).toBe('STOPPING')
          world.pass(one.policy.stopWaitMs)
        }
        world.exit(null)
        expect([world.name, world.child, world.timer]).toEqual(['STOPPED', 'none', undefined])
      }),
      { numRuns: 2000 },
    )
  })

  test('holds: nothing that happens without a wish brings it back', () => {
    fc.assert(
      fc.property(life, fc.array(unasked, { maxLength: 30 }), (one, after) => {
        const world = lived(one)
        world.ask('stop')
        const { spawns } = world
        for (const act of after) act(world)
        world.exit(1)
        world.pass(1e9)
        expect([world.name, world.spawns]).toEqual(['STOPPED', spawns])
      }),
      { numRuns: 2000 },
    )
  })

  test('wins against every start and restart that was asked for before it', () => {
    const wishes = fc.array(fc.constantFrom('start' as const, 'restart' as const, 'stop' as const))
    fc.assert(
      fc.property(life, wishes, (one, before) => {
        const world = lived(one)
        for (const wish of before) world.ask(wish)
        world.ask('stop')
        const { spawns } = world
        world.spawned()
        world.exit(0)
        world.pass(1e9)
        expect([world.name, world.spawns]).toEqual(['STOPPED', spawns])
      }),
      { numRuns: 1000 },
    )
  })

  test('ends the wait of BACKOFF and of FATAL at once', () => {
    fc.assert(
      fc.property(luck, badEnd, fc.integer({ min: 1, max: 4 }), (random, end, deaths) => {
        const world = new World(ordinary, () => random)
        world.ask('start')
        for (let n = 1; n <= deaths; n += 1) {
          world.live(0, end)
          if (n < deaths) world.pass(72_000)
        }
        expect(world.name).toBe(deaths < 4 ? 'BACKOFF' : 'FATAL')
        world.ask('stop')
        expect([world.name, world.timer]).toEqual(['STOPPED', undefined])
      }),
    )
  })
})

test('a start or a restart always leads to a running process, once it is a healthy one', () => {
  fc.assert(
    fc.property(life, fc.constantFrom('start' as const, 'restart' as const), (one, wish) => {
      const world = lived(one)
      world.ask(wish)
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

test.each(['start', 'restart'] as const)('a %s by hand forgives what was', wish => {
  fc.assert(
    fc.property(life, one => {
      const policy = { ...one.policy, maxQuick: 2, maxDeaths: 2 }
      const world = lived({ ...one, policy })
      const wasAlive = world.child !== 'none' && world.name !== 'STOPPING'
      world.ask(wish)
      // One that lives needs no start, so that there is nothing to forgive.
      if (wasAlive && wish === 'start') return
      if (world.name === 'STOPPING') world.exit(null)
      expect(world.name).toBe('STARTING')
      world.live(0, 1)
      expect(world.name).not.toBe('FATAL')
    }),
    { numRuns: 1000 },
  )
})
