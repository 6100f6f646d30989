import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Task } from '../../../src/model/task.ts'
import type { Settlement } from '../../../src/queue/consumer.ts'
import {
  aQueue,
  DONE,
  failed,
  liveOwner,
  type QueueBench,
  queueBench,
} from '../../support/queue-bench.ts'
import { aTask } from '../../support/runs.ts'
import { waitFor } from '../../support/wait.ts'

let bench: QueueBench
beforeAll(async () => {
  bench = await queueBench()
})
afterEach(() => bench.reset())
afterAll(() => bench.remove())

const Q = 'sync_tasks'
const key = (part: string) => `{taskd}:${Q}:${part}`
const add = (...tasks: Partial<Task>[]) =>
  bench.queues.add(
    Q,
    tasks.map((task, n) => aTask({ id: `t${n}`, taskKey: Q, ...task })),
  )
const stateIs = (id: string, state: string) =>
  waitFor(async () => (await bench.queues.state(Q, id)) === state, { what: `${id} is ${state}` })

/** A worker that holds task `t0` until it is told what became of it. */
async function holding(tasks: Partial<Task>[] = [{}], owner = liveOwner('w1')) {
  let tell!: (settlement: Settlement) => void
  const told = new Promise<Settlement>(resolve => {
    tell = resolve
  })
  await add(...tasks)
  const taken: string[] = []
  const { claims, consumer } = await bench.consume({
    owner,
    handle: ({ task }) => (task.id === 't0' ? told : DONE),
    onTaken: id => taken.push(id),
  })
  await waitFor(() => claims.length === 1, { what: 't0 is taken' })
  return { claims, consumer, tell, taken, token: (await bench.redis.get(key('t0:lock'))) ?? '' }
}

/** Every connection breaks, and comes back by itself. */
const breakConnections = () => bench.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')

/** As if Redis had lost that it was ever handed out. */
async function forgetThatItRuns(id: string): Promise<void> {
  await bench.redis
    .multi()
    .del(key(`${id}:lock`))
    .lrem(key('active'), 1, id)
    .hincrby(key(id), 'ats', -1)
    .hdel(key(id), 'pb')
    .zadd(key('prioritized'), 5 * 2 ** 32 + 1, id)
    .zadd(key('marker'), 0, '0')
    .exec()
}

/** As another node does with the tasks of one that seems to be gone. */
async function takeOver(id: string): Promise<void> {
  await bench.redis.set(key(`${id}:lock`), 'w2@other.00000000.1.1:0')
  await bench.redis.hset(key(id), 'pb', 'w2@other.00000000.1.1')
}

test('a lock outlives whatever runs', async () => {
  const { tell } = await holding()
  const days = (await bench.redis.pttl(key('t0:lock'))) / 86_400_000
  expect(days).toBeGreaterThan(3000)
  tell(DONE)
  await stateIs('t0', 'completed')
  expect(await bench.redis.exists(key('t0:lock'))).toBe(0)
})

test.each([
  ['done', DONE, 'completed'],
  ['failed', failed(false), 'failed'],
  ['to be tried again', failed(true), 'delayed'],
] as const)('a verdict (%s) is taken although the lock is gone', async (_, verdict, state) => {
  const { tell, claims } = await holding([{ retries: 1, retryIntervalsMs: [60_000] }, {}])
  await bench.redis.del(key('t0:lock'))
  tell(verdict)
  await stateIs('t0', state)
  await stateIs('t1', 'completed')
  expect(claims.map(one => one.task.id)).toEqual(['t0', 't1'])
})

test('one given back goes back although the lock is gone', async () => {
  const { tell, consumer } = await holding()
  await bench.redis.del(key('t0:lock'))
  const stopping = consumer.stop()
  tell({ type: 'returned' })
  await stopping
  expect(await bench.queues.state(Q, 't0')).toBe('waiting')
  expect(await bench.redis.hget(key('t0'), 'ats')).toBe('0')
})

test('a verdict on a task that another has is dropped, and the next is taken', async () => {
  const { tell, taken } = await holding([{}, {}])
  await takeOver('t0')
  tell(failed(false))
  await stateIs('t1', 'completed')
  expect(await bench.queues.state(Q, 't0')).toBe('active')
  expect(await bench.redis.get(key('t0:lock'))).toBe('w2@other.00000000.1.1:0')
  expect(taken).toEqual(['t0'])
})

test('a verdict on a task that another has settled meanwhile is dropped', async () => {
  const { tell, taken } = await holding([{}, {}])
  await takeOver('t0')
  const other = await bench.consume({ owner: 'w2@other.00000000.1.1', queue: aQueue() })
  await bench.redis.del(key('t0:lock'))
  await bench.redis.lrem(key('active'), 1, 't0')
  await bench.redis.zadd(key('prioritized'), 0, 't0')
  await bench.redis.zadd(key('marker'), 0, '0')
  await stateIs('t0', 'completed')
  tell(failed(false))
  await waitFor(() => taken.length === 1, { what: 'it is dropped' })
  expect(await bench.queues.state(Q, 't0')).toBe('completed')
  await other.consumer.stop()
})

test('a lock that Redis has lost is taken again with the next connection', async () => {
  const { tell, token } = await holding()
  await bench.redis.del(key('t0:lock'))
  await breakConnections()
  await waitFor(async () => (await bench.redis.get(key('t0:lock'))) === token, {
    what: 'it is locked again',
  })
  expect(await bench.queues.state(Q, 't0')).toBe('active')
  tell(DONE)
  await stateIs('t0', 'completed')
})

test('a task that Redis says is waiting, though it runs, is taken back and not begun twice', async () => {
  const { tell, claims, token } = await holding([{}, {}])
  // The connection is lost, and so is what was written last.
  await Promise.all([breakConnections(), forgetThatItRuns('t0')])
  await waitFor(async () => (await bench.redis.get(key('t0:lock'))) === token, {
    what: 'it is locked again',
  })
  expect(await bench.queues.state(Q, 't0')).toBe('active')
  expect(await bench.redis.hget(key('t0'), 'ats')).toBe('1')
  tell(DONE)
  await stateIs('t1', 'completed')
  expect(await bench.queues.state(Q, 't0')).toBe('completed')
  expect(claims.map(one => one.task.id)).toEqual(['t0', 't1'])
})

test('a task that the queue hands out to its holder once more stays one', async () => {
  await add({})
  let tell = (): void => undefined
  const told = new Promise<void>(resolve => {
    tell = resolve
  })
  const { claims } = await bench.consume({
    queue: aQueue({ mode: 'async', concurrency: 4 }),
    handle: () => told.then(() => DONE),
  })
  await waitFor(() => claims.length === 1, { what: 'it is taken' })
  await forgetThatItRuns('t0')
  await waitFor(async () => (await bench.queues.state(Q, 't0')) === 'active', {
    what: 'it is handed out again',
  })
  tell()
  await stateIs('t0', 'completed')
  expect(claims).toHaveLength(1)
})

test('a stalled check of an older version finds nothing to put back', async () => {
  const { tell, claims } = await holding()
  await bench.redis.sadd(key('stalled'), 't0')
  const { Worker } = await import('bullmq')
  const old = new Worker(Q, async () => undefined, {
    connection: bench.connect(),
    prefix: '{taskd}',
    stalledInterval: 50,
  })
  await waitFor(async () => (await bench.redis.sismember(key('stalled'), 't0')) === 1, {
    what: 'it has looked',
  })
  tell(DONE)
  await stateIs('t0', 'completed')
  expect(claims).toHaveLength(1)
  await old.close(true)
})
