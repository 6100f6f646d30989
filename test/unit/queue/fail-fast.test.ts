import { expect, expectTypeOf, test } from 'vitest'
import { createClient, type FailFast, over } from '../../../src/queue/connection.ts'

const NOWHERE = 'unix:/nonexistent/redis.sock'

test('a client made to ask fails at once where it cannot ask, and so does what works over it', async () => {
  const ask = createClient(NOWHERE, 'ask', 'test')
  const counter = over(ask, client => ({ count: () => client.llen('list') }))
  expectTypeOf(ask).toExtend<FailFast>()
  expectTypeOf(counter).toExtend<FailFast<{ count(): Promise<number> }>>()
  ask.connect().catch(() => undefined)
  await expect(counter.count()).rejects.toThrow("isn't writeable")
  ask.disconnect()
})

test('a client made to work is not taken for one, nor is a plain object', () => {
  const work = createClient(NOWHERE, 'work', 'test')
  expectTypeOf(work).not.toExtend<FailFast>()
  expectTypeOf({ count: () => 1 }).not.toExtend<FailFast<{ count(): number }>>()
  expect(work.options.maxRetriesPerRequest).toBeNull()
  work.disconnect()
})
