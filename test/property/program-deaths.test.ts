import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Events } from '../../src/model/events.ts'
import { ManagedProgram } from '../../src/supervise/managed-program.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { badEnd, luck, ordinary, World } from './program-world.ts'

describe('a crash loop', () => {
  const lifetimes = [0, 1200, 1300]
  const cases = [1000, 0].flatMap(startMs => lifetimes.map(ms => [ms, startMs] as const))

  test.each(cases)(
    'of %d ms with startsecs of %d ms is given up, and tried once in a while',
    (lifetime, startMs) => {
      fc.assert(
        fc.property(luck, badEnd, (random, end) => {
          const world = new World({ ...ordinary, startMs }, () => random)
          const attempts = lifetime < startMs ? ordinary.maxQuick : ordinary.maxDeaths
          world.ask('start')
          for (let n = 1; n <= attempts; n += 1) {
            expect(world.name).not.toBe('FATAL')
            world.live(lifetime, end)
            if (world.name === 'BACKOFF') world.pass(72_000)
          }
          expect([world.name, world.spawns]).toEqual(['FATAL', attempts])
          for (let retry = 1; retry <= 5; retry += 1) {
            world.pass(ordinary.fatalRetryMs - 1)
            expect([world.name, world.spawns]).toEqual(['FATAL', attempts + retry - 1])
            world.pass(1)
            expect([world.name, world.spawns]).toEqual(['STARTING', attempts + retry])
            // Still as bad as before: the first further death is enough.
            world.live(lifetime, end)
            expect(world.name).toBe('FATAL')
          }
        }),
      )
    },
  )

  test('of 10 s is given up as well; one of 15 s is not, for its deaths are too far apart', () => {
    const after = (lifetime: number) => {
      const world = new World(ordinary)
      world.ask('start')
      for (let n = 0; n < 50 && world.name !== 'FATAL'; n += 1) world.live(lifetime, 1)
      return [world.name, world.spawns]
    }
    expect(after(10_000)).toEqual(['FATAL', 5])
    expect(after(15_000)).toEqual(['STARTING', 51])
  })

  test('stays FATAL for good where there is no slow retry', () => {
    const world = new World({ ...ordinary, maxQuick: 1, fatalRetryMs: 0 })
    world.ask('start')
    world.live(0, 1)
    world.pass(1e9)
    expect([world.name, world.spawns]).toEqual(['FATAL', 1])
  })

  const onProbation = (random: number) => {
    const world = new World(ordinary, () => random)
    world.ask('start')
    while (world.name !== 'FATAL') {
      world.live(0, 1)
      if (world.name === 'BACKOFF') world.pass(72_000)
    }
    world.pass(ordinary.fatalRetryMs)
    return world
  }
  const untilDeath = fc.oneof(
    fc.integer({ min: 0, max: 200_000 }),
    fc.constantFrom(ordinary.windowMs - 1, ordinary.windowMs),
  )

  test('is over when it has lived for a whole window after its slow retry', () => {
    fc.assert(
      fc.property(untilDeath, luck, (lifetime, random) => {
        const world = onProbation(random)
        world.live(lifetime, 1)
        expect(world.name).toBe(lifetime < ordinary.windowMs ? 'FATAL' : 'STARTING')
      }),
    )
  })

  test('is not over because of an expected end after its slow retry', () => {
    const world = onProbation(0.5)
    world.live(1200, 0)
    world.live(1200, 1)
    expect(world.name).toBe('FATAL')
  })
})

test('one that always ends as expected is started again for ever, but not without a pause', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3000 }), luck, (lifetime, random) => {
      const world = new World({ ...ordinary, startMs: 0 }, () => random)
      world.ask('start')
      while (world.now < 100_000 && world.spawns < 1000) {
        if (world.child === 'none') world.pass(1000)
        expect(world.name).toBe('STARTING')
        world.live(lifetime, 0)
      }
      // Four at once, then each a second after the one before.
      expect(world.spawns).toBeLessThanOrEqual(5 + Math.ceil(100_000 / (1000 + lifetime)))
      expect(world.spawns).toBeGreaterThan(100_000 / (1000 + lifetime))
    }),
  )
})

describe('startsecs and startretries', () => {
  test('with startretries = 3 there are four attempts, each gap longer than the one before', () => {
    fc.assert(
      fc.property(luck, badEnd, fc.integer({ min: 0, max: 999 }), (random, end, lifetime) => {
        const world = new World({ ...ordinary, maxQuick: 3 + 1 }, () => random)
        const gaps: number[] = []
        world.ask('start')
        for (let n = 1; n <= 3; n += 1) {
          world.live(lifetime, end)
          expect(world.name).toBe('BACKOFF')
          gaps.push((world.timer ?? 0) - world.now)
          world.pass(gaps.at(-1) ?? 0)
        }
        world.live(lifetime, end)
        expect([world.name, world.spawns]).toEqual(['FATAL', 4])
        expect(gaps).toEqual(gaps.toSorted((a, b) => a - b))
        expect(new Set(gaps).size).toBe(3)
      }),
    )
  })

  test('an end before startsecs leads to BACKOFF, whatever the exit code and autorestart say', () => {
    const modes = fc.constantFrom('always' as const, 'unexpected' as const, 'never' as const)
    const codes = fc.constantFrom(0, 2, 1, null)
    fc.assert(
      fc.property(modes, codes, fc.integer({ min: 0, max: 999 }), (autorestart, code, lifetime) => {
        const world = new World({ ...ordinary, autorestart, exitCodes: [0, 2] })
        world.ask('start')
        world.live(lifetime, code)
        expect(world.name).toBe('BACKOFF')
      }),
    )
  })

  test('one that cannot even be started goes to BACKOFF first, and to FATAL in the end', () => {
    const world = new World(ordinary)
    const states: string[] = []
    world.ask('start')
    for (let n = 0; n < 4; n += 1) {
      world.failToLaunch()
      states.push(world.name)
      if (n < 3) world.pass(72_000)
    }
    expect(states).toEqual(['BACKOFF', 'BACKOFF', 'BACKOFF', 'FATAL'])
  })

  test('quick deaths wait 1, 2, 4, 8 s with at most a fifth of jitter; a healthy life forgets them', () => {
    fc.assert(
      fc.property(luck, random => {
        const world = new World({ ...ordinary, maxQuick: 100, maxDeaths: 100 }, () => random)
        world.ask('start')
        for (const plain of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
          world.live(0, 1)
          const wait = (world.timer ?? 0) - world.now
          expect(wait).toBeGreaterThanOrEqual(plain * 0.8 - 1)
          expect(wait).toBeLessThanOrEqual(plain * 1.2 + 1)
          world.pass(wait)
        }
        world.live(100_000, 1)
        expect(world.name).toBe('STARTING')
        world.live(0, 1)
        expect((world.timer ?? 0) - world.now).toBeLessThanOrEqual(1201)
      }),
    )
  })
})

test('a time of day that jumps to and fro changes neither waits nor deaths', async () => {
  const jump = fc.integer({ min: -1e10, max: 1e10 })
  await fc.assert(
    fc.asyncProperty(fc.array(jump, { minLength: 8, maxLength: 8 }), async jumps => {
      const time = fakeClock()
      const { clock } = time
      const died: number[] = []
      const program = new ManagedProgram(
        'prog',
        listener => {
          listener.spawned(77)
          // It lives for 0.2 s.
          clock.setTimer(200, () => {
            died.push(clock.monotonic())
            listener.exited(1, null)
          })
          return { terminate: () => undefined, kill: () => undefined }
        },
        () => ordinary,
        { clock, events: new Events(), random: () => 0.5 },
      )
      program.send({ type: 'start' })
      for (const ms of jumps) {
        await time.advance(1200)
        time.step(ms)
      }
      expect(died).toEqual([200, 1400, 3600, 7800])
      expect(program.state.name).toBe('FATAL')
      time.step(1e10)
      await time.advance(7800 + ordinary.fatalRetryMs - clock.monotonic() - 1)
      expect(program.state.name).toBe('FATAL')
      await time.advance(1)
      expect(program.state.name).toBe('STARTING')
    }),
    { numRuns: 10 },
  )
})
