import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { unreachable } from '../../../src/lib/errors.ts'
import type { PullTask } from '../../../src/model/pull.ts'
import type { PullQueue } from '../../../src/queue/pull-queue.ts'
import { deathsIn, LEASE_MS, type PullBench, pullBench } from '../../support/pull-bench.ts'
import { PullModel } from '../../support/pull-model.ts'

let bench: PullBench
let nodes: PullQueue[]

const LIMITS = { capacity: 9, leaseMs: LEASE_MS, retries: 2, maxLeases: 2, finishKeep: 4 }

beforeAll(async () => {
  bench = await pullBench()
  nodes = [bench.queue(LIMITS), bench.queue(LIMITS, await bench.connect())]
})
afterAll(() => bench.remove())

const id = fc.integer({ min: 0, max: 13 }).map(n => `id${n}`)
const ids = fc.array(id, { minLength: 1, maxLength: 8 })
const reports = fc.array(
  fc.record({ id, attempt: fc.integer({ min: 1, max: 4 }) }, { requiredKeys: ['id'] }),
  { maxLength: 6 },
)

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('push' as const), ids, promote: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('claim' as const), count: fc.nat({ max: 6 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('report' as const), finish: reports, failed: reports }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('give back' as const), reports }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, LEASE_MS / 2, LEASE_MS),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('expire' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retry the dead' as const), ids }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hand over' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Takes a step in both worlds; what the queue says of it, and what the model does. */
async function take(
  step: Step,
  queue: PullQueue,
  model: PullModel,
  n: number,
): Promise<[told: unknown, expected: unknown]> {
  switch (step.do) {
    case 'push': {
      const tasks = step.ids.map((one, place) => taskOf(one, `${n} ${place}`))
      const { answers } = await queue.push(tasks, { promote: step.promote })
      return [answers, model.push(tasks, step.promote)]
    }
    case 'claim':
      return [await queue.claim(step.count), model.claim(step.count)]
    case 'report': {
      const { finish, failed } = await queue.report(step)
      return [
        wordsOf([...finish, ...failed]),
        [...model.finish(step.finish), ...model.fail(step.failed)],
      ]
    }
    case 'give back':
      return [wordsOf(await queue.giveBack(step.reports)), model.giveBack(step.reports)]
    case 'wait':
      bench.now += step.ms
      model.now = bench.now
      return [bench.now, model.now]
    case 'expire':
      return [await queue.expire(), model.expire()]
    case 'retry the dead': {
      const dead = new Map(model.dead().map(one => [one.id, one]))
      const again = step.ids.flatMap(one => dead.get(one) ?? [])
      return [(await queue.retryDead(step.ids)).answers, model.push(again, false)]
    }
    case 'hand over': {
      const deaths = await deathsIn(queue)
      return [deaths.map(({ id: one, attempt }) => `${one} ${attempt}`), model.handOver()]
    }
    default:
      return unreachable(step)
  }
}

const wordsOf = (items: readonly { readonly answer: string }[]) => items.map(one => one.answer)

const taskOf = (one: string, note: string): PullTask => ({
  id: one,
  content: JSON.stringify({ task_id: one, note }),
})

test('whatever is done in whatever order, two nodes answer as a simple list would', async () => {
  const seen = { finished: 0, dead: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async steps => {
      await bench.reset()
      const model = new PullModel(LIMITS, bench.now)
      for (const [n, one] of steps.entries()) {
        const queue = nodes[n % 2]
        if (!queue) throw new Error('no node')
        const [told, expected] = await take(one, queue, model, n)
        expect(told).toEqual(expected)
        expect(await queue.counts()).toMatchObject(model.counts())
        expect(await queue.dead(100)).toEqual(model.dead())
      }
      const { finishedTotal, deadTotal } = model.counts()
      seen.finished += finishedTotal
      seen.dead += deadTotal
      // What is left comes out in the order of the list, and nothing else does.
      const [queue] = nodes
      expect(await queue?.claim(100)).toEqual(model.claim(100))
      bench.now += LEASE_MS
      model.now = bench.now
      expect(await queue?.expire()).toEqual(model.expire())
      expect(await queue?.claim(100)).toEqual(model.claim(100))
    }),
    { numRuns: 500 },
  )
  // The steps are varied enough to lead everywhere.
  expect(seen.finished).toBeGreaterThan(100)
  expect(seen.dead).toBeGreaterThan(40)
}, 60_000)
