import { afterEach, describe, expect, test } from 'vitest'
import { specOf } from '../../../src/schedule/ticks.ts'
import { aJob, START, schedule, ticking } from '../../support/ticking.ts'

const MINUTE = 60_000
const running: { stop(): Promise<void> }[] = []

async function started(...given: Parameters<typeof ticking>) {
  const one = ticking(...given)
  running.push(one.ticker)
  await one.ticker.start()
  await one.time.advance(0)
  return one
}

afterEach(async () => {
  for (const ticker of running.splice(0)) await ticker.stop()
})

const at = (...minutes: number[]) => minutes.map(minute => START + minute * MINUTE)
const all = (changes = {}) =>
  aJob({ misfire: 'all', overlap: 'allow', misfireGraceMs: 1000, ...changes })

describe('a cursor that is set by hand', () => {
  test('back: the ticks since then are missed ones, at once, and the schedule goes on', async () => {
    const { ticker, store, queue, time } = await started([all()])
    await time.advance(MINUTE)
    store.setCursor('job', START - 3.5 * MINUTE)
    ticker.reread('job')
    await time.advance(0)
    // The last of them is remembered, so it makes no task.
    expect(queue.added.map(one => one.tick)).toEqual(at(1, -3, -2, -1, 0))
    await time.advance(MINUTE)
    expect(queue.added.at(-1)?.tick).toBe(START + 2 * MINUTE)
    expect(store.state('job').cursor).toBe(START + 2 * MINUTE)
  })

  test('forward: what was missed is passed over', async () => {
    const shared = schedule()
    shared.store.change('job', { cursor: START - 10 * MINUTE, spec: specOf(all()) })
    shared.store.setCursor('job', START)
    const { queue, time } = await started([all()], shared)
    await time.advance(MINUTE)
    expect(queue.added.map(one => one.tick)).toEqual(at(1))
  })

  test('a tick that is being made at that moment does not move it', async () => {
    const { ticker, store, queue, time } = await started([all()])
    queue.onAdd = () => {
      queue.onAdd = () => undefined
      store.setCursor('job', START - 2 * MINUTE)
      ticker.reread('job')
    }
    await time.advance(MINUTE)
    expect(queue.added.map(one => one.tick)).toEqual(at(1, -1, 0))
    expect(store.state('job').cursor).toBe(START + MINUTE)
  })

  test('a node that heard nothing of it sees it at its next tick, at the latest', async () => {
    const { store, queue, time } = await started([all()])
    queue.onAdd = () => {
      queue.onAdd = () => undefined
      store.setCursor('job', START - 2 * MINUTE)
    }
    await time.advance(MINUTE)
    expect(store.state('job').cursor).toBe(START - 2 * MINUTE)
    await time.advance(MINUTE)
    expect(queue.added.map(one => one.tick)).toEqual(at(1, -1, 0, 2))
  })

  test('old ticks wait for each other, although a newer one has run', async () => {
    const { ticker, store, queue, time, end } = await started([all({ overlap: 'queue' })])
    await time.advance(MINUTE)
    queue.keepsOpen = true
    store.setCursor('job', START - 3 * MINUTE)
    ticker.reread('job')
    for (const made of [1, 2, 3]) {
      await time.advance(2000)
      expect(queue.added.slice(1).map(one => one.tick)).toEqual(at(-2, -1, 0).slice(0, made))
      end()
    }
  })

  test('one that is not there, or disabled, is nothing to read anew', async () => {
    const { ticker, queue, time } = await started([all({ enabled: false })])
    ticker.reread('job')
    ticker.reread('nobody')
    await time.advance(2 * MINUTE)
    expect(queue.added).toEqual([])
  })
})
