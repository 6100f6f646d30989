import { expect, test } from 'vitest'
import { Trouble } from '../../../src/lib/trouble.ts'
import { fakeClock } from '../../support/fake-clock.ts'

test('a trouble is told when it begins and when it ends, and its last reason shows meanwhile', async () => {
  const time = fakeClock()
  const told: unknown[] = []
  const trouble = new Trouble(time.clock, {
    began: error => told.push(String(error)),
    ended: seconds => told.push(seconds),
  })
  const { since } = trouble.condition
  expect(trouble.condition).toMatchObject({ ok: true, error: '' })
  trouble.clear()
  await time.advance(5000)
  trouble.note(new Error('away'))
  await time.advance(7000)
  trouble.note(new Error('still away'))
  const { condition } = trouble
  expect(condition).toMatchObject({ ok: false, error: 'still away' })
  expect(Date.parse(condition.since) - Date.parse(since)).toBe(5000)
  trouble.clear()
  trouble.clear()
  expect(trouble.condition).toMatchObject({ ok: true, error: '' })
  expect(Date.parse(trouble.condition.since) - Date.parse(since)).toBe(12_000)
  expect(told).toEqual(['Error: away', 7])
})
