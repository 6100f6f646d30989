import { expect, test } from 'vitest'
import { Slots } from '../../../src/lib/slots.ts'

test('so many run at once, the next ones in their order, and past the line nobody', async () => {
  const slots = new Slots(2, 2)
  const begun: number[] = []
  const ends: (() => void)[] = []
  const run = (n: number) =>
    slots.tryRun(async () => {
      begun.push(n)
      await new Promise<void>(resolve => ends.push(resolve))
      return n
    })
  const all = [run(1), run(2), run(3), run(4)]
  expect(run(5)).toBeUndefined()
  expect(begun).toEqual([1, 2])
  ends[0]?.()
  expect(await all[0]).toBe(1)
  expect(begun).toEqual([1, 2, 3])
  const sixth = run(6)
  expect(sixth).toBeDefined()
  for (const at of [1, 2, 3, 4]) {
    ends[at]?.()
    await new Promise(resolve => setImmediate(resolve))
  }
  expect(await Promise.all([...all, sixth])).toEqual([1, 2, 3, 4, 6])
  expect(begun).toEqual([1, 2, 3, 4, 6])
})

test('one that fails gives its slot on', async () => {
  const slots = new Slots(1, 1)
  const first = slots.run(() => Promise.reject(new Error('no')))
  const second = slots.run(() => Promise.resolve('yes'))
  await expect(first).rejects.toThrow('no')
  expect(await second).toBe('yes')
  expect(await slots.run(() => Promise.resolve('again'))).toBe('again')
})

test('one that may wait is never sent away, and takes its turn', async () => {
  const slots = new Slots(1, 0)
  const order: string[] = []
  let end: () => void = () => undefined
  const first = slots.run(async () => {
    order.push('first')
    await new Promise<void>(resolve => {
      end = resolve
    })
  })
  expect(slots.tryRun(() => Promise.resolve())).toBeUndefined()
  const second = slots.run(() => Promise.resolve(order.push('second')))
  expect(order).toEqual(['first'])
  end()
  await Promise.all([first, second])
  expect(order).toEqual(['first', 'second'])
})
