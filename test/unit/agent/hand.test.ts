import { describe, expect, test } from 'vitest'
import { Hand, runLimitMs } from '../../../src/agent/hand.ts'

const tasks = (count: number, name = 't') =>
  Array.from({ length: count }, (_, n) => ({ id: `${name}${n}`, attempt: 1, content: {} }))
const busy = (count: number, ms = 0) => Array.from({ length: count }, () => ms)

describe('how many tasks are claimed ahead', () => {
  test('before anything is known, as many as can begin', () => {
    expect(new Hand(100, 4).wanted([])).toBe(4)
    expect(new Hand(100, 4).wanted(busy(3))).toBe(1)
    expect(new Hand(100, 4).wanted(busy(4))).toBe(0)
  })

  test('then a batch, and the next one when half of it is gone', () => {
    const hand = new Hand(100, 4)
    hand.add(tasks(4), 86_400_000, 0)
    for (let n = 0; n < 4; n += 1) hand.take(0)
    hand.ended(20)
    expect(hand.wanted(busy(4))).toBe(100)
    hand.add(tasks(100), 86_400_000, 0)
    expect(hand.wanted(busy(4))).toBe(0)
    for (let n = 0; n < 49; n += 1) hand.take(0)
    expect(hand.wanted(busy(4))).toBe(0)
    hand.take(0)
    expect(hand.wanted(busy(4))).toBe(50)
  })

  test('no more than can be finished within half of the lease', () => {
    const hand = new Hand(100, 2)
    hand.add(tasks(2), 60_000, 0)
    hand.take(0)
    hand.take(0)
    // 2 at once, 6 s each: 10 in 30 s, of which 2 run.
    hand.ended(6000)
    expect(hand.wanted(busy(2))).toBe(8)
    expect(hand.wanted(busy(2, 30_000))).toBe(0)
    expect(hand.wanted(busy(1, 30_000))).toBe(1)
  })

  test('durations are a mean in which the newest count for little, and long ones make it careful', () => {
    const hand = new Hand(1000, 1)
    hand.add(tasks(1), 10_000, 0)
    hand.take(0)
    hand.ended(10)
    expect(hand.wanted(busy(1))).toBe(499)
    hand.ended(110)
    expect(hand.wanted(busy(1))).toBe(249)
  })
})

describe('what is begun', () => {
  test('the oldest first; what has waited for too long goes back instead', () => {
    const hand = new Hand(100, 1)
    hand.add(tasks(2, 'old'), 10_000, 0)
    hand.add(tasks(1, 'new'), 10_000, 5000)
    expect(hand.take(8999).task?.id).toBe('old0')
    const { task, late } = hand.take(9001)
    expect([task?.id, late.map(one => one.id)]).toEqual(['new0', ['old1']])
    expect(hand.take(9001)).toEqual({ task: undefined, late: [] })
  })

  test('what takes long needs the time for it, but never more than half of a lease', () => {
    const hand = new Hand(100, 1)
    hand.ended(4000)
    hand.add(tasks(2), 10_000, 0)
    expect(hand.take(5999).task?.id).toBe('t0')
    expect(hand.take(6001).late).toHaveLength(1)
    for (let n = 0; n < 100; n += 1) hand.ended(3_600_000)
    hand.add(tasks(1), 10_000, 7000)
    expect(hand.take(7001).task?.id).toBe('t0')
  })

  test('all of it can be given back', () => {
    const hand = new Hand(100, 1)
    hand.add(tasks(3), 10_000, 0)
    expect(hand.clear()).toHaveLength(3)
    expect(hand.size).toBe(0)
  })
})

test('a run is over, with its KILL, before its lease is', () => {
  const hand = new Hand(1, 1)
  hand.add(tasks(1), 100_000, 0)
  const { task } = hand.take(0)
  if (!task) throw new Error('no task')
  expect(runLimitMs(task, 5000, 10_000, 0)).toEqual({ maxRunTimeMs: 5000, killMs: 10_000 })
  expect(runLimitMs(task, 3_600_000, 10_000, 20_000)).toEqual({
    maxRunTimeMs: 70_000,
    killMs: 10_000,
  })
  expect(runLimitMs(task, 3_600_000, 50_000, 0)).toEqual({ maxRunTimeMs: 80_000, killMs: 20_000 })
  expect(runLimitMs(task, 3_600_000, 10_000, 99_999)).toEqual({ maxRunTimeMs: 1, killMs: 10_000 })
})
