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
    for (let seed = 1; seed <= 20; seed += 1) {
      const steps = of(seed)
      for (const [index, one] of steps.entries())
        for (const other of steps.slice(index + 1)) {
          const common = touched(one).filter(part => touched(other).includes(part))
          if (common.length > 0) expect(other.atMs).toBeGreaterThan(one.atMs + one.forMs)
        }
    }
  })
})
