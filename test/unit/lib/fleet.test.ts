import { expect, test } from 'vitest'
import { Fleet } from '../../../src/lib/fleet.ts'

interface Spec {
  readonly name: string
  readonly size: number
}

function fleetOf(start: (spec: Spec) => Promise<void> = async () => undefined) {
  const done: string[] = []
  const fleet = new Fleet((spec: Spec, before: { made: number } | undefined) => ({
    spec,
    made: (before?.made ?? 0) + 1,
    start: async () => {
      done.push(`${spec.name} starts`)
      await start(spec)
    },
    stop: async () => void done.push(`${spec.name} stops`),
  }))
  return { fleet, done }
}

test('members come and go with their sections; what is as it was is not disturbed', async () => {
  const { fleet, done } = fleetOf()
  await fleet.configure([
    { name: 'a', size: 1 },
    { name: 'b', size: 1 },
  ])
  const b = fleet.get('b')
  await fleet.configure([
    { name: 'b', size: 1 },
    { name: 'c', size: 1 },
  ])
  expect(done).toEqual(['a starts', 'b starts', 'a stops', 'c starts'])
  expect(fleet.get('b')).toBe(b)
  expect(fleet.members.map(one => one.spec.name)).toEqual(['b', 'c'])
})

test('one that changes stops before its successor starts, which knows it', async () => {
  const { fleet, done } = fleetOf()
  await fleet.configure([{ name: 'a', size: 1 }])
  await fleet.configure([{ name: 'a', size: 2 }])
  expect(done).toEqual(['a starts', 'a stops', 'a starts'])
  expect(fleet.get('a')).toMatchObject({ made: 2, spec: { size: 2 } })
})

test('calls are done in turn, and the last one counts', async () => {
  const { fleet, done } = fleetOf()
  void fleet.configure([{ name: 'a', size: 1 }])
  void fleet.configure([])
  void fleet.configure([{ name: 'b', size: 1 }])
  await fleet.settled
  expect(done).toEqual(['a starts', 'a stops', 'b starts'])
})

test('one that cannot start is told, and holds up neither the others nor what comes next', async () => {
  const { fleet, done } = fleetOf(async ({ name }) => {
    if (name === 'a') throw new Error('no file')
  })
  const both = [
    { name: 'a', size: 1 },
    { name: 'b', size: 1 },
  ]
  await expect(fleet.configure(both)).rejects.toThrow('no file')
  await fleet.configure([])
  expect(done).toEqual(['a starts', 'b starts', 'a stops', 'b stops'])
})
