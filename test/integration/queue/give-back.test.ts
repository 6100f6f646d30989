import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Settlement } from '../../../src/queue/consumer.ts'
import { engineKeys } from '../../../src/queue/engine-keys.ts'
import { giveBack } from '../../../src/queue/give-back.ts'
import { toJobId } from '../../../src/queue/job-id.ts'
import { findOrphans } from '../../../src/queue/recover.ts'
import { returnUnheard } from '../../../src/queue/unheard.ts'
import {
  DONE,
  deadOwner,
  failed,
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
afterEach(async () => {
  for (const end of ends.splice(0)) end()
  await bench.reset()
})
afterAll(() => bench.remove())

const Q = 'sync_tasks'
const keys = engineKeys(Q)
const ends: (() => void)[] = []
/** A worker that waits looks by itself every 5 s. */
const AT_ONCE_MS = 2500

/** A task that somebody has taken; what comes of it when the test says so. */
async function taken(owner: string, then: Settlement = DONE) {
  await bench.queues.add(Q, [aTask({ id: 'a', taskKey: Q })])
  const ended = new Promise<void>(resolve => ends.push(resolve))
  const { consumer, claims } = await bench.consume({ owner, handle: () => ended.then(() => then) })
  await waitFor(() => claims.length === 1, { what: 'it is taken' })
  return consumer
}

/** Another worker, that has looked, found nothing, and waits to be woken. */
async function idle() {
  const { claims } = await bench.consume({ owner: liveOwner('idle') })
  await waitFor(
    async () => {
      const [info, marked] = await Promise.all([
        bench.redis.info('clients'),
        bench.redis.exists(keys.marker),
      ])
      return info.includes('blocked_clients:1') && marked === 0
    },
    { what: 'it waits' },
  )
  const from = performance.now()
  return async () => {
    await waitFor(() => claims.length === 1, { what: 'it is taken again' })
    return { claim: claims[0], afterMs: performance.now() - from }
  }
}

/** Takes a task that waits, and gives it back. */
async function giveBackAgain(jobId: string, inMs = 0): Promise<void> {
  const token = `${liveOwner('w')}:1`
  await bench.redis.zrem(keys.prioritized, jobId)
  await bench.redis.lpush(keys.active, jobId)
  await bench.redis.set(keys.lock(jobId), token)
  await giveBack(bench.redis, { taskKey: Q, jobId, token }, { inMs })
}

test('a task of a dead worker wakes a worker that waits', async () => {
  await taken(deadOwner('w1'))
  const again = await idle()
  for (const orphan of await findOrphans(
    bench.redis,
    Q,
    judging(owner => owner === deadOwner('w1')),
  ))
    await orphan.giveBack()
  const { claim, afterMs } = await again()
  expect(afterMs).toBeLessThan(AT_ONCE_MS)
  expect(claim).toMatchObject({ task: { id: 'a' }, attempt: 2, deaths: 1 })
})

test('a task that its worker returns wakes a worker that waits, and counts no start', async () => {
  const consumer = await taken(liveOwner('w1'), { type: 'returned' })
  const again = await idle()
  const stopped = consumer.stop()
  for (const end of ends.splice(0)) end()
  const { claim, afterMs } = await again()
  await stopped
  expect(afterMs).toBeLessThan(AT_ONCE_MS)
  expect(claim).toMatchObject({ attempt: 1, deaths: 0 })
})

test('a task that its worker never heard of wakes a worker that waits, and counts no start', async () => {
  await taken(liveOwner('w1'))
  const again = await idle()
  await returnUnheard({
    redis: bench.redis,
    taskKey: Q,
    owner: liveOwner('w1'),
    holds: () => false,
  })
  const { claim, afterMs } = await again()
  expect(afterMs).toBeLessThan(AT_ONCE_MS)
  expect(claim).toMatchObject({ attempt: 1, deaths: 0 })
})

test('several that are given back wake as many as can take them', async () => {
  const ids = Array.from({ length: 6 }, (_none, n) => `t${n}`)
  await bench.queues.pause(Q)
  await bench.queues.add(
    Q,
    ids.map(id => aTask({ id, taskKey: Q })),
  )
  const claimed: string[] = []
  const ended = new Promise<void>(resolve => ends.push(resolve))
  for (const n of ids.keys())
    await bench.consume({
      owner: liveOwner(`w${n}`),
      handle: ({ task }) => {
        claimed.push(task.id)
        return ended.then(() => DONE)
      },
    })
  await waitFor(async () => (await bench.redis.info('clients')).includes('blocked_clients:6'), {
    what: 'all wait',
  })
  // As after the death of one that had them all: active, and no word to those that wait.
  await bench.redis.hdel(`{taskd}:${Q}:meta`, 'paused')
  for (const id of ids.map(toJobId)) {
    await bench.redis.zrem(keys.prioritized, id)
    await bench.redis.lpush(keys.active, id)
    await bench.redis.set(keys.lock(id), `${deadOwner('w')}:1`)
  }
  const from = performance.now()
  for (const orphan of await findOrphans(
    bench.redis,
    Q,
    judging(owner => owner === deadOwner('w')),
  ))
    await orphan.giveBack()
  await waitFor(() => claimed.length === 6, { what: 'all are taken' })
  expect(performance.now() - from).toBeLessThan(AT_ONCE_MS)
})

test('each that is given back stands before the one given back before it, and within its priority', async () => {
  const ids = ['a3', 'c5', 'b5', 'd5', 'w5', 'w4', 'w6']
  await bench.queues.add(
    Q,
    ids.map(id => aTask({ id, taskKey: Q, priority: Number(id[1]) })),
  )
  for (const id of ids.slice(0, 4)) await giveBackAgain(id)
  expect(await bench.redis.zrange(keys.prioritized, '0', '-1')).toEqual([
    'a3',
    'w4',
    'd5',
    'b5',
    'c5',
    'w5',
    'w6',
  ])
  for (const id of ids) {
    const score = Number(await bench.redis.zscore(keys.prioritized, id))
    expect(Math.floor(score / 2 ** 32)).toBe(Number(id[1]))
  }
})

test('where there is no room before the others, one given back is among them', async () => {
  const ids = ['a5', 'w5']
  await bench.queues.add(
    Q,
    ids.map(id => aTask({ id, taskKey: Q, priority: 5 })),
  )
  const first = 5 * 2 ** 32
  await bench.redis.zadd(keys.prioritized, String(first), 'w5')
  await giveBackAgain('a5')
  // Never before a task of another priority.
  expect(Number(await bench.redis.zscore(keys.prioritized, 'a5'))).toBe(first)
})

/** The commands of clients that name a task's key; what scripts do is part of theirs. */
async function sentAbout(jobId: string, work: () => Promise<unknown>): Promise<string[]> {
  const monitor = await bench.redis.duplicate().monitor()
  const sent: string[] = []
  monitor.on('monitor', (_time: string, [command = '', ...words]: string[], source: string) => {
    if (source !== 'lua' && words.includes(keys.job(toJobId(jobId))))
      sent.push(command.toLowerCase())
    if (words.includes('the end')) sent.push('the end')
  })
  try {
    await work()
    await bench.redis.echo('the end')
    await waitFor(() => sent.includes('the end'), { what: 'all of them are seen' })
  } finally {
    monitor.disconnect()
  }
  return sent.filter(command => /^(eval|h(set|mset|del|incr)|del|multi)/.test(command))
}

test('what goes back for later does so in one command: a KILL in between costs no attempt', async () => {
  const consumer = await taken(liveOwner('w1'), { type: 'returned', inMs: 60_000 })
  const sent = await sentAbout('a', async () => {
    for (const end of ends.splice(0)) end()
    await consumer.stop()
  })
  expect(sent).toHaveLength(1)
  expect(await bench.redis.hget(keys.job(toJobId('a')), 'ats')).toBe('0')
  expect(await bench.queues.counts(Q)).toMatchObject({ active: 0, waiting: 0, delayed: 1 })
})

test('of what goes back for one time each comes after the one before it', async () => {
  const ids = ['a5', 'b5', 'c5']
  await bench.queues.add(
    Q,
    ids.map(id => aTask({ id, taskKey: Q })),
  )
  for (const id of ids) await giveBackAgain(id, 60_000)
  const scores = await Promise.all(ids.map(id => bench.redis.zscore(keys.delayed, id)))
  expect(scores.map(Number)).toEqual(scores.map(Number).toSorted((a, b) => a - b))
  expect(new Set(scores).size).toBe(3)
  // Idle workers are woken for the first.
  const due = await bench.redis.zscore(keys.marker, '1')
  expect(Number(due)).toBe(Number(scores[0]) / 4096)
})

test('what has failed goes back in one command, with its earlier attempts counted once', async () => {
  const consumer = await taken(liveOwner('w1'), failed(false))
  for (const end of ends.splice(0)) end()
  await waitFor(async () => (await bench.queues.state(Q, 'a')) === 'failed', { what: 'it failed' })
  await consumer.stop()
  const sent = await sentAbout('a', async () => {
    const both = await Promise.all([bench.queues.retry(Q, 'a'), bench.queues.retry(Q, 'a')])
    expect(both.filter(Boolean)).toHaveLength(1)
  })
  // Twice the look whether it is to be forgotten, and the one move that each of them tried.
  expect(sent).toHaveLength(4)
  const { claims } = await bench.consume()
  await waitFor(() => claims.length === 1, { what: 'it is taken again' })
  expect(claims[0]).toMatchObject({ attempt: 2, deaths: 0, retryInMs: undefined })
})

test('what is not ours any more is left alone', async () => {
  await taken(liveOwner('w1'))
  const [orphan] = await findOrphans(
    bench.redis,
    Q,
    judging(owner => owner === liveOwner('w1')),
  )
  await bench.redis.set(keys.lock(toJobId('a')), `${liveOwner('other')}:0`)
  await orphan?.giveBack()
  expect(await bench.queues.counts(Q)).toMatchObject({ active: 1, waiting: 0 })
})
