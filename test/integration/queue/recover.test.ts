import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import { ownerLives, parseOwner } from '../../../src/model/owner.ts'
import { ENGINE_PREFIX } from '../../../src/queue/engine-keys.ts'
import { toJobId } from '../../../src/queue/job-id.ts'
import { findOrphans } from '../../../src/queue/recover.ts'
import {
  aQueue,
  DONE,
  deadOwner,
  judging,
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
afterEach(() => {
  for (const end of ends.splice(0)) end()
  return bench.reset()
})
afterAll(() => bench.remove())

const Q = 'sync_tasks'
const lockOf = (id: string) => `${ENGINE_PREFIX}:${Q}:${toJobId(id)}:lock`

const isDead = (text: string) => {
  const owner = parseOwner(text)
  return owner !== undefined && !ownerLives(owner)
}
const orphans = (judge = isDead) => findOrphans(bench.redis, Q, judging(judge))

const ends: (() => void)[] = []

/** A worker that takes tasks and is then never heard of again, until the test is over. */
async function taken(ids: readonly string[], owner: string) {
  await bench.queues.add(
    Q,
    ids.map(id => aTask({ id, taskKey: Q })),
  )
  const ended = new Promise<void>(resolve => ends.push(resolve))
  const queue = aQueue({ concurrency: ids.length })
  const worker = await bench.consume({ queue, owner, handle: () => ended.then(() => DONE) })
  await waitFor(() => worker.claims.length === ids.length, { what: 'they are taken' })
  return worker
}

test('a dead owner’s task goes back to the front of its queue, with the death counted', async () => {
  await taken(['a'], deadOwner('w'))
  await bench.queues.add(Q, [aTask({ id: 'waited', taskKey: Q })])
  const [orphan, ...more] = await orphans()
  expect(more).toEqual([])
  expect(orphan).toMatchObject({ owner: deadOwner('w'), attempt: 1, deaths: 1, task: { id: 'a' } })
  await orphan?.giveBack()
  const { claims } = await bench.consume()
  await waitFor(() => claims.length === 2, { what: 'both are taken' })
  expect(claims.map(one => [one.task.id, one.attempt, one.deaths])).toEqual([
    ['a', 2, 1],
    ['waited', 1, 0],
  ])
})

test('whose a task was is known by any lock of theirs', async () => {
  const ids = Array.from({ length: 12 }, (_none, n) => `t${n}`)
  await taken(ids, deadOwner('w'))
  const locks = await bench.redis.mget(ids.map(lockOf))
  expect(new Set(locks.map(lock => lock?.replace(/\d+$/, ''))).size).toBe(2)
  const found = await orphans()
  expect(found).toHaveLength(12)
  expect(new Set(found.map(one => one.owner))).toEqual(new Set([deadOwner('w')]))
})

test('a living owner’s task is nobody’s to give', async () => {
  await taken(['a'], liveOwner('w'))
  expect(await orphans()).toEqual([])
})

test('an owner of another installation, or one that cannot be read, is not judged', async () => {
  await taken(['a'], 'something else')
  expect(await orphans()).toEqual([])
})

test('a lock that expired does not hide whose it was', async () => {
  await taken(['a', 'b'], deadOwner('w'))
  expect(await bench.redis.del(lockOf('a'))).toBe(1)
  const found = await orphans()
  expect(found.map(one => one.task.id).toSorted()).toEqual(['a', 'b'])
  for (const one of found) await one.giveBack()
  expect(await bench.queues.counts(Q)).toMatchObject({ waiting: 2, active: 0 })
})

test('a task that another worker took in between is left alone', async () => {
  await taken(['a'], deadOwner('w'))
  const found = orphans(owner => {
    // Between the look and the seizure, the lock changes hands.
    void bench.redis.set(lockOf('a'), `${liveOwner('other')}:0`)
    return isDead(owner)
  })
  expect(await found).toEqual([])
  expect(await bench.redis.get(lockOf('a'))).toBe(`${liveOwner('other')}:0`)
})

test('two that recover at once give a task back once', async () => {
  await taken(['a', 'b', 'c'], deadOwner('w'))
  const [one, other] = await Promise.all([orphans(), orphans()])
  const given = await Promise.allSettled([...one, ...other].map(orphan => orphan.giveBack()))
  expect(given.filter(result => result.status === 'fulfilled').length).toBeGreaterThanOrEqual(3)
  expect(await bench.queues.counts(Q)).toMatchObject({ waiting: 3, active: 0 })
})

test('one that is buried has failed for good, with its answer', async () => {
  await taken(['1234'], deadOwner('w'))
  const [orphan] = await orphans()
  await orphan?.settle({
    type: 'failed',
    answer: { code: 'fail', msg: 'its machine died', data: [] },
    retry: false,
  })
  expect(await bench.queues.find([Q], '1234')).toMatchObject({
    state: 'failed',
    answer: { msg: 'its machine died' },
  })
  expect(await orphans()).toEqual([])
})

test('a failure that its dead owner could not tell is tried again when its retries say', async () => {
  const retrying = aTask({ id: 'b', taskKey: Q, retries: 1, retryIntervalsMs: [60_000] })
  await bench.queues.add(Q, [retrying])
  const ended = new Promise<void>(resolve => ends.push(resolve))
  const { claims } = await bench.consume({
    owner: deadOwner('w'),
    handle: () => ended.then(() => DONE),
  })
  await waitFor(() => claims.length === 1, { what: 'it is taken' })
  const [orphan] = await orphans()
  const before = realClock.now()
  const answer = { code: 'fail', msg: 'it failed', data: [] }
  await orphan?.settle({ type: 'failed', answer, retry: true })
  const found = await bench.queues.find([Q], 'b')
  expect(found).toMatchObject({ state: 'delayed', failure: { msg: 'it failed' } })
  expect(found?.dueAt).toBeGreaterThanOrEqual(before + 60_000)
})

test('deaths add up over the owners that died with it', async () => {
  await bench.queues.add(Q, [aTask({ id: 'killer', taskKey: Q })])
  const seen: number[] = []
  for (let n = 1; n <= 3; n += 1) {
    const ended = new Promise<void>(resolve => ends.push(resolve))
    const worker = await bench.consume({
      owner: deadOwner(`x${n}`),
      // Of the dead nothing more is heard.
      handle: () => ended.then(() => ({ type: 'taken' })),
    })
    await waitFor(() => worker.claims.length === 1, { what: 'it is taken' })
    const [orphan] = await orphans()
    seen.push(orphan?.deaths ?? 0)
    await bench.queues.pause(Q)
    await orphan?.giveBack()
    for (const end of ends.splice(0)) end()
    await worker.consumer.stop()
    await bench.queues.resume(Q)
  }
  expect(seen).toEqual([1, 2, 3])
})
