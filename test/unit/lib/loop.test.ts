import { expect, test } from 'vitest'
import { Loop, type LoopDeps } from '../../../src/lib/loop.ts'
import { fakeClock } from '../../support/fake-clock.ts'

/** Notes the time of each round. */
function noted(deps: Partial<LoopDeps> & { readonly act?: (round: number) => Promise<void> } = {}) {
  const time = fakeClock()
  const { clock } = time
  const advance = (ms: number) => time.advance(ms)
  const rounds: number[] = []
  const loop = new Loop({
    clock,
    random: () => 0.5,
    round: async () => {
      rounds.push(clock.monotonic())
      await deps.act?.(rounds.length)
      return 1000
    },
    ...deps,
  })
  return { loop, rounds, advance, clock }
}

test('a round follows the other after the wait that it asks for', async () => {
  const { loop, rounds, advance } = noted()
  loop.start()
  loop.start()
  await advance(2500)
  expect(rounds).toEqual([0, 1000, 2000])
  await loop.stop()
  await advance(5000)
  expect(rounds).toHaveLength(3)
})

test('a round that asks for no wait is followed at once', async () => {
  const rounds: number[] = []
  const { loop, advance } = noted({
    round: async () => {
      rounds.push(rounds.length)
      return rounds.length < 50 ? 0 : 1000
    },
  })
  loop.start()
  await advance(0)
  expect(rounds).toHaveLength(50)
  await loop.stop()
})

test('the first round waits when it is told to, and a stop ends that wait', async () => {
  const { loop, rounds, advance } = noted()
  loop.start(300)
  await advance(299)
  expect(rounds).toEqual([])
  await advance(1)
  expect(rounds).toEqual([300])
  await loop.stop()
  loop.start(300)
  await loop.stop()
  expect(rounds).toEqual([300])
})

test('a nudge ends the wait', async () => {
  const { loop, rounds, advance } = noted()
  loop.start()
  await advance(400)
  loop.nudge()
  loop.nudge()
  await advance(0)
  expect(rounds).toEqual([0, 400])
  await advance(999)
  expect(rounds).toEqual([0, 400])
  await loop.stop()
})

test('a nudge during a round is followed by another round', async () => {
  const { loop, rounds, advance } = noted({
    act: async round => {
      if (round === 1) loop.nudge()
    },
  })
  loop.start()
  await advance(0)
  expect(rounds).toEqual([0, 0])
  await advance(999)
  expect(rounds).toHaveLength(2)
  await loop.stop()
})

test('a nudge waits for others where there is time to gather them', async () => {
  const { loop, rounds, advance } = noted({ gatherMs: 100 })
  loop.start()
  await advance(400)
  loop.nudge()
  await advance(60)
  loop.nudge()
  await advance(40)
  expect(rounds).toEqual([0, 500])
  // Nobody has nudged: nobody is waited for.
  await advance(1000)
  expect(rounds).toEqual([0, 500, 1500])
  await loop.stop()
})

test('rounds that fail come less and less often, and one that goes well ends that', async () => {
  const errors: unknown[] = []
  const { loop, rounds, advance } = noted({
    act: async round => {
      if (round <= 4 || round === 6) throw new Error(`no ${round}`)
    },
    failed: error => {
      errors.push(error)
      return { baseMs: 100, factor: 2, capMs: 300, jitter: 0.2 }
    },
  })
  loop.start()
  await advance(2000)
  expect(rounds).toEqual([0, 100, 300, 600, 900, 1900, 2000])
  expect(errors).toHaveLength(5)
  await loop.stop()
})

test('a nudge does not hurry what has failed', async () => {
  const { loop, rounds, advance } = noted({
    act: async round => {
      if (round === 1) throw new Error('no')
    },
    failed: () => ({ baseMs: 500, factor: 1, capMs: 500, jitter: 0 }),
  })
  loop.start()
  await advance(100)
  loop.nudge()
  await advance(399)
  expect(rounds).toEqual([0])
  await advance(1)
  expect(rounds).toEqual([0, 500])
  await loop.stop()
})

test('a stop waits for the round in progress, which is told of it; its failure tells nothing', async () => {
  const time = fakeClock()
  const { clock } = time
  const told: unknown[] = []
  let ended = false
  const loop = new Loop({
    clock,
    round: async signal => {
      await clock.sleep(60_000, signal)
      await clock.sleep(10)
      ended = true
      throw new Error('broken off')
    },
    failed: error => {
      told.push(error)
      return { baseMs: 1, factor: 1, capMs: 1, jitter: 0 }
    },
  })
  loop.start()
  expect(loop.running).toBe(true)
  expect(loop.signal.aborted).toBe(false)
  let stopped = false
  const stop = loop.stop().then(() => {
    stopped = true
  })
  await time.advance(9)
  expect([loop.signal.aborted, ended, stopped]).toEqual([true, false, false])
  await time.advance(1)
  await stop
  expect([ended, loop.running, told]).toEqual([true, false, []])
})

test('one that was stopped starts anew, and one that never started can be stopped', async () => {
  const { loop, rounds, advance } = noted()
  await loop.stop()
  loop.start()
  await advance(0)
  await loop.stop()
  loop.start()
  expect(loop.signal.aborted).toBe(false)
  await advance(0)
  expect(rounds).toEqual([0, 0])
  await loop.stop()
})
