import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Task } from '../../../src/model/task.ts'
import { oldestWaiting } from '../../../src/queue/oldest.ts'
import { type QueueBench, queueBench } from '../../support/queue-bench.ts'
import { aTask } from '../../support/runs.ts'

let bench: QueueBench
beforeAll(async () => {
  bench = await queueBench()
})
afterEach(() => bench.reset())
afterAll(() => bench.remove())

const Q = 'sync_tasks'

/** @returns a moment that is later than the task was handed in */
async function add(task: Partial<Task>): Promise<number> {
  await bench.queues.add(Q, [aTask({ taskKey: Q, ...task })])
  const after = Date.now()
  await delay(5)
  return after
}

test('where nothing waits there is no oldest', async () => {
  expect(await oldestWaiting(bench.redis, Q)).toBeUndefined()
})

test('it is the first that was handed in, whatever its priority', async () => {
  const before = Date.now()
  const after = await add({ id: 'old', priority: 9 })
  await add({ id: 'urgent', priority: 1 })
  await add({ id: 'usual', priority: 5 })
  const at = await oldestWaiting(bench.redis, Q)
  expect(at).toBeGreaterThanOrEqual(before)
  expect(at).toBeLessThanOrEqual(after)
  await bench.queues.remove(Q, 'old')
  expect(await oldestWaiting(bench.redis, Q)).toBeGreaterThan(after)
})

test('what is delayed does not wait yet', async () => {
  await add({ id: 'later', startAt: Date.now() + 60_000 })
  expect(await oldestWaiting(bench.redis, Q)).toBeUndefined()
})
