import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../../src/queue/connection.ts'
import type { Settlement } from '../../../src/queue/consumer.ts'
import { TaskQueues } from '../../../src/queue/task-queues.ts'
import { DONE, failed, type QueueBench, queueBench } from '../../support/queue-bench.ts'
import { aTask } from '../../support/runs.ts'
import { startRedis } from '../../support/servers.ts'
import { waitFor } from '../../support/wait.ts'

test('a queue that is first asked about while Redis is away answers when it is back', async () => {
  await using server = await startRedis()
  const redis = createClient(server.url, 'ask', 'test')
  const queues = new TaskQueues(
    redis,
    () => 0,
    () => 0,
  )
  try {
    await redis.connect()
    const listeners = () => redis.listenerCount('ready')
    const before = listeners()
    server.freeze()
    await expect(queues.counts('far')).rejects.toThrow('Command timed out')
    server.thaw()
    const none = { waiting: 0, delayed: 0, active: 0, bad: 0, paused: false }
    await waitFor(() => queues.counts('far').then(counts => counts.waiting === 0), {
      what: 'it is counted',
    })
    expect(await queues.counts('far')).toEqual(none)
    // One for the queue that is there now, and none of those that were given up.
    expect(listeners()).toBeLessThanOrEqual(before + 1)
  } finally {
    await queues.close()
    redis.disconnect()
  }
})

describe('a task that ended longer ago than results are kept', () => {
  const KEEP_MS = 60_000
  const Q = 'sync_tasks'
  let bench: QueueBench
  beforeAll(async () => {
    bench = await queueBench()
  })
  afterEach(() => bench.reset())
  afterAll(() => bench.remove())

  /** One of each id has ended, the queue rests since, and this is asked `laterMs` later. */
  async function ended(laterMs: number, handle: () => Settlement, ids = ['a', '7']) {
    const queues = new TaskQueues(
      bench.redis,
      () => Date.now() + laterMs,
      () => KEEP_MS,
    )
    const { consumer, claims } = await bench.consume({ handle })
    await bench.queues.add(
      Q,
      ids.map(id => aTask({ id })),
    )
    await waitFor(
      async () => {
        const found = await Promise.all(ids.map(id => bench.queues.find([Q], id)))
        return found.every(one => one?.answer !== undefined)
      },
      { what: 'they have ended' },
    )
    await consumer.stop()
    return { queues, claims }
  }

  test.each([
    ['succeeded', () => DONE],
    ['failed', () => failed(false)],
  ])('is unknown, whoever asks first, when it %s', async (_, handle) => {
    const asking: ((queues: TaskQueues) => Promise<unknown>)[] = [
      queues => queues.known(Q, ['a', 'never']),
      queues => queues.state(Q, 'a'),
      queues => queues.find([Q], 'a'),
      queues => queues.progress(Q, 'a'),
      queues => queues.retry(Q, 'a'),
      queues => queues.remove(Q, 'a'),
    ]
    const gone = [[false, false], 'unknown', undefined, { state: 'unknown' }, false, false]
    for (const [n, ask] of asking.entries()) {
      const { queues } = await ended(KEEP_MS + 1000, handle)
      try {
        expect(await ask(queues)).toEqual(gone[n])
        expect(await queues.known(Q, ['a', '7'])).toEqual([false, false])
      } finally {
        await queues.close()
        await bench.reset()
      }
    }
  })

  test('makes room for a new one of its id; a younger one does not', async () => {
    for (const [laterMs, runs] of [
      [KEEP_MS + 1000, 2],
      [0, 0],
    ] as const) {
      const { queues } = await ended(laterMs, () => DONE)
      await queues.add(Q, [aTask({ id: 'a' })])
      await queues.add(
        Q,
        ['7', 'new'].map(id => aTask({ id })),
      )
      const { claims } = await bench.consume()
      await waitFor(() => claims.some(({ task }) => task.id === 'new'), {
        what: 'the new one runs',
      })
      expect(claims.filter(({ task }) => task.id !== 'new')).toHaveLength(runs)
      await queues.close()
      await bench.reset()
    }
  })

  test('is left alone while it waits or runs, however old it is', async () => {
    const later = Date.now() + 10 * KEEP_MS
    const queues = new TaskQueues(
      bench.redis,
      () => later,
      () => KEEP_MS,
    )
    await bench.queues.add(Q, [aTask({ id: 'a' })])
    expect(await queues.state(Q, 'a')).toBe('waiting')
    let end = () => {}
    const over = new Promise<Settlement>(resolve => {
      end = () => resolve(DONE)
    })
    const { claims } = await bench.consume({ handle: () => over })
    await waitFor(() => claims.length === 1, { what: 'it runs' })
    expect(await queues.state(Q, 'a')).toBe('active')
    await queues.add(Q, [aTask({ id: 'a' })])
    expect(await queues.counts(Q)).toMatchObject({ waiting: 0, active: 1 })
    end()
    await queues.close()
  })

  test('is looked for only where the id may have been used before', async () => {
    const { queues, redis } = bench
    const scriptsOf = async (add: () => Promise<void>) => {
      await redis.config('RESETSTAT')
      await add()
      const stats = await redis.info('commandstats')
      return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])
    }
    // Loaded once, which costs a call more.
    await queues.add(Q, [aTask({ id: 'first' })])
    expect(await scriptsOf(() => queues.add(Q, [aTask({ id: 'given' })]))).toBe(2)
    expect(await scriptsOf(() => queues.add(Q, [aTask({ id: 'm1' })], { made: true }))).toBe(1)
    const messages = ['m2']
    expect(await scriptsOf(() => queues.add(Q, [aTask({ id: 'm2' })], { messages }))).toBe(1)
    expect(await scriptsOf(() => queues.add(Q, [aTask({ id: 'own' })], { messages }))).toBe(2)
  })
})
