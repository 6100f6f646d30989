import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RestartPolicy } from '../../src/model/program-state.ts'
import { type Fate, fatesOf, killsDue, livesIn, stateOf } from './program-model.ts'
import { life, lived, type World } from './program-world.ts'

/** Every start that nobody asked for came because the end before it led to it, and in its time. */
function unwishedStarts({ log, policy }: World): { fate: Fate | undefined; waited: number }[] {
  const lives = livesIn(log)
  const fates = fatesOf(lives, policy)
  return lives.flatMap((one, n) =>
    one.wished
      ? []
      : [{ fate: fates[n - 1], waited: one.from - (lives[n - 1]?.end?.at ?? Number.NaN) }],
  )
}

const seenKills = (world: World) =>
  livesIn(world.log).map(({ facts }) =>
    facts.filter(fact => fact.what === 'kill').map(fact => fact.at),
  )

test('the state is always the one that follows from what has happened', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(life, one => {
      lived(one, world => {
        const expected = stateOf(world.log, world.policy, world.now)
        seen.add(expected)
        expect(world.name).toBe(expected)
      })
    }),
    { numRuns: 2000 },
  )
  // The lives are varied enough to lead everywhere.
  expect([...seen].toSorted()).toEqual([
    'BACKOFF',
    'EXITED',
    'FATAL',
    'RUNNING',
    'STARTING',
    'STOPPED',
    'STOPPING',
  ])
})

test('nothing comes back but by a wish, at once, after its backoff or by the slow retry', () => {
  const reasons = new Set<string>()
  fc.assert(
    fc.property(life, one => {
      for (const { fate, waited } of unwishedStarts(lived(one))) {
        if (fate === undefined || !('wait' in fate)) throw new Error(`after ${fate?.state}`)
        reasons.add(fate.state)
        expect(waited).toBeGreaterThanOrEqual(fate.wait[0])
        expect(waited).toBeLessThanOrEqual(fate.wait[1])
      }
    }),
    { numRuns: 2000 },
  )
  expect([...reasons].toSorted()).toEqual(['BACKOFF', 'FATAL', 'again'])
})

test('what waits to come back does so in time', () => {
  fc.assert(
    fc.property(life, one => {
      const world = lived(one)
      if (world.name !== 'BACKOFF' && world.name !== 'FATAL') return
      const fate = fatesOf(livesIn(world.log), world.policy).at(-1)
      const longest = fate && 'wait' in fate ? fate.wait[1] : Number.NaN
      world.pass(Number.isFinite(longest) ? longest : 1e9)
      expect(world.name).toBe(Number.isFinite(longest) ? 'STARTING' : 'FATAL')
    }),
    { numRuns: 2000 },
  )
})

test('KILL is sent whenever the time to stop is over once more, until the exit is seen', () => {
  let most = 0
  fc.assert(
    fc.property(life, one => {
      const world = lived(one)
      const due = livesIn(world.log).map(one => killsDue(one, world.policy, world.now))
      most = Math.max(most, ...due.map(kills => kills.length))
      expect(seenKills(world)).toEqual(due)
    }),
    { numRuns: 2000 },
  )
  expect(most).toBeGreaterThan(2)
})

test('only the time between events counts, never the time of day', () => {
  const trace = (world: World) => [world.log.map(fact => fact.what), world.name]
  fc.assert(
    fc.property(life, fc.integer({ min: -1_000_000, max: 4_000_000 }), (one, offset) => {
      const late = lived({ ...one, actions: [world => (world.now += offset), ...one.actions] })
      expect(trace(late)).toEqual(trace(lived(one)))
    }),
    { numRuns: 1000 },
  )
})

test('a stricter limit never gives a program more starts', () => {
  const stricter = (policy: RestartPolicy) => ({ ...policy, maxQuick: 1, maxDeaths: 1 })
  const startsOf = (world: World) => livesIn(world.log).filter(one => !one.wished).length
  fc.assert(
    fc.property(fc.nat({ max: 20_000 }), life, (lifetime, { policy }) => {
      const crashing = (under: RestartPolicy) => {
        const actions = Array.from({ length: 30 }, () => (world: World) => {
          world.live(lifetime, 1)
          if (world.child === 'none') world.pass(100_000)
        })
        return lived({ policy: under, random: 0.5, actions: [w => w.ask('start'), ...actions] })
      }
      expect(startsOf(crashing(stricter(policy)))).toBeLessThanOrEqual(startsOf(crashing(policy)))
    }),
    { numRuns: 300 },
  )
})
