import { describe, expect, it } from 'vitest'
import { FAULTS } from '../../nemesis/faults.ts'
import { type Step, scheduleOf } from '../../nemesis/schedule.ts'

const NODES = ['ann', 'bob', 'cid']
const of = (seed: number, minutes = 10) => scheduleOf(seed, minutes, FAULTS, NODES)

describe('the schedule of faults', () => {
  it('follows from the seed alone', () => {
    expect(of(7)).toEqual(of(7))
    expect(of(7)).not.toEqual(of(8))
  })

  it('has every fault in it, given the time', () => {
    const found = new Set(of(1, 600).map(step => step.fault))
    expect(FAULTS.filter(kind => !found.has(kind.name))).toEqual([])
  })

  it('fits into its minutes', () => {
    for (let seed = 1; seed <= 50; seed += 1)
      for (const { atMs, forMs } of of(seed, 1)) expect(atMs + forMs).toBeLessThan(90_000)
  })

  it('never has two faults at once that touch the same', () => {
    const touched = (step: Step) =>
      FAULTS.find(kind => kind.name === step.fault)?.touches(step.node) ?? []
    const clash = (one: Step, other: Step) =>
      other.atMs <= one.atMs + one.forMs && touched(one).some(part => touched(other).includes(part))
    for (let seed = 1; seed <= 20; seed += 1) {
      const steps = of(seed)
      expect(
        steps.filter((one, index) => steps.slice(index + 1).some(other => clash(one, other))),
      ).toEqual([])
    }
  })
})
