import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Task } from '../../../src/model/task.ts'
import { TaskQueues } from '../../../src/queue/task-queues.ts'
import { aQueue, DONE, failed, type QueueBench, queueBench } from '../../support/queue-bench.ts'
import { aTask } from '../../support/runs.ts'
import { waitFor } from '../../support/wait.ts'

let bench: QueueBench
beforeAll(async () => {
  bench = await queueBench()
})
afterEach(() => bench.reset())
afterAll(() => bench.remove())

const Q = 'sync_tasks'
const add = (...tasks: Partial<Task>[]) =>
  bench.queues.add(
    Q,
    tasks.map((task, n) => aTask({ id: `t${n}`, taskKey: Q, ...task })),
  )

const stateIs = (id: string, state: string) =>
  waitFor(async () => (await bench.queues.state(Q, id)) === state, { what: `${id} is ${state}` })

const done = () => bench.redis.zcard(`{taskd}:${Q}:completed`)

/** A door that stays closed until the test opens it. */
function door() {
  let open = (): void => undefined
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return { open, opened }
}

describe('taking tasks', () => {
  test('a task arrives as it was given', async () => {
    const task = aTask({
      id: 'a:1',
      taskKey: Q,
      controller: 'c',
      function: 'f',
      param: 'x=1',
      job: 'pay',
      scheduledAt: 1_800_000_000_000,
      priority: 3,
      maxRunTimeMs: 5000,
      retries: 1,
      retryIntervalsMs: [1000],
      replyTo: 'answers',
      interpreter: 'php -q',
      directory: '/tmp',
      user: 'nobody',
      environment: { A: '1' },
    })
    await bench.queues.add(Q, [task])
    const { claims } = await bench.consume()
    await waitFor(() => claims.length === 1, { what: 'it is taken' })
    expect(claims).toEqual([{ task, attempt: 1, deaths: 0, retryInMs: 1000 }])
  })

  test('by priority, 1 first and 9 last, and in order among equals', async () => {
    const priorities = [5, 9, 1, 5, 2, 9, 1, 5]
    await add(...priorities.map((priority, n) => ({ id: `t${n}`, priority })))
    const { claims } = await bench.consume()
    await waitFor(() => claims.length === priorities.length, { what: 'all are taken' })
    expect(claims.map(claim => claim.task.id).join()).toBe('t2,t6,t4,t0,t3,t7,t1,t5')
  })

  test('not before their time', async () => {
    const startAt = Date.now() + 400
    await add({ id: 'later', startAt }, { id: 'past', startAt: 1000 }, { id: 'now' })
    expect(await bench.queues.counts(Q)).toMatchObject({ waiting: 2, delayed: 1 })
    const times = new Map<string, number>()
    await bench.consume({
      handle: claim => {
        times.set(claim.task.id, Date.now())
        return DONE
      },
    })
    await waitFor(() => times.size === 3, { what: 'all are taken' })
    expect([...times.keys()].at(-1)).toBe('later')
    expect(times.get('later')).toBeGreaterThanOrEqual(startAt)
  })

  test('as many at once as it may, one by default', async () => {
    for (const concurrency of [1, 4]) {
      await add(...Array.from({ length: 12 }, (_, n) => ({ id: `c${concurrency}-${n}` })))
      let now = 0
      let most = 0
      const { claims, consumer } = await bench.consume({
        queue: aQueue({ concurrency }),
        handle: async () => {
          now += 1
          most = Math.max(most, now)
          await new Promise(resolve => setTimeout(resolve, 10))
          now -= 1
          return DONE
        },
      })
      await waitFor(() => claims.length === 12 && now === 0, { what: 'all are done' })
      expect(most).toBe(concurrency)
      await consumer.stop()
    }
  })

  test('several are asked for at once while they come, and no more than there is room for', async () => {
    await add(...Array.from({ length: 30 }, (_, n) => ({ id: `t${n}` })))
    const { open, opened } = door()
    const { claims } = await bench.consume({
      queue: aQueue({ concurrency: 12 }),
      handle: () => opened.then(() => DONE),
    })
    await waitFor(() => claims.length === 12, { what: 'there is no more room' })
    const locks = await bench.redis.mget(claims.map(({ task }) => `{taskd}:${Q}:${task.id}:lock`))
    const ahead = locks.filter(lock => lock?.includes(':ahead'))
    expect(ahead.length).toBeGreaterThan(3)
    expect(await bench.queues.counts(Q)).toMatchObject({ active: 12, waiting: 18 })
    open()
    await waitFor(async () => (await done()) === 30, { what: 'all are done' })
    expect(new Set(claims.map(({ task }) => task.id)).size).toBe(30)
    expect(claims).toHaveLength(30)
  })

  test.each([0, 1, 2, 4, 8, 16])(
    'a stop %i ms after many came settles what was taken',
    async ms => {
      const { consumer, claims } = await bench.consume({
        queue: aQueue({ concurrency: 16 }),
        handle: () => delay(5).then(() => DONE),
      })
      await add(...Array.from({ length: 300 }, (_, n) => ({ id: `t${n}` })))
      await delay(ms)
      expect(await consumer.stop()).toBe(true)
      const counts = await bench.queues.counts(Q)
      expect(counts).toMatchObject({ active: 0, waiting: 300 - claims.length })
      expect(await done()).toBe(claims.length)
      expect(new Set(claims.map(({ task }) => task.id)).size).toBe(claims.length)
    },
  )

  test('a full one that may have more takes more at once', async () => {
    await add({ id: 'one' }, { id: 'two' })
    const { open, opened } = door()
    const { consumer, claims } = await bench.consume({ handle: () => opened.then(() => DONE) })
    await waitFor(() => claims.length === 1, { what: 'one is taken' })
    consumer.concurrency = 2
    await waitFor(() => claims.length === 2, { what: 'the other is taken while one runs' })
    expect(claims.map(claim => claim.task.id)).toEqual(['one', 'two'])
    open()
  })

  test('no faster than the rate', async () => {
    await add(...Array.from({ length: 7 }, (_, n) => ({ id: `r${n}` })))
    const times: number[] = []
    await bench.consume({
      queue: aQueue({ concurrency: 10, rate: { max: 3, durationMs: 300 } }),
      handle: () => {
        times.push(performance.now())
        return DONE
      },
    })
    await waitFor(() => times.length === 7, { what: 'all are taken' })
    const [first = 0] = times
    expect((times[3] ?? 0) - first).toBeGreaterThan(200)
    expect((times[6] ?? 0) - first).toBeGreaterThan(450)
  })

  test('stop waits for the task that runs and takes no other', async () => {
    await add({ id: 'one' }, { id: 'two' })
    const { open, opened } = door()
    const { consumer, claims } = await bench.consume({ handle: () => opened.then(() => DONE) })
    await waitFor(() => claims.length === 1, { what: 'one is taken' })
    const stopping = consumer.stop()
    open()
    await stopping
    expect(claims).toHaveLength(1)
    expect([await bench.queues.state(Q, 'one'), await bench.queues.state(Q, 'two')]).toEqual([
      'completed',
      'waiting',
    ])
  })

  test('a stop that began while Redis was away is over when it is back', async () => {
    await add({ id: 'one' })
    const { open, opened } = door()
    const { consumer, claims } = await bench.consume({
      queue: aQueue({ concurrency: 4 }),
      handle: () => opened.then(() => DONE),
    })
    await waitFor(() => claims.length === 1, { what: 'one is taken' })
    await bench.server.stop()
    const stopping = consumer.stop()
    open()
    await bench.server.restart()
    expect(await stopping).toBe(true)
  })

  test('a stop waits for a Redis that is away while there is something to tell it', async () => {
    await add({ id: 'one' })
    const { open, opened } = door()
    const { consumer, claims } = await bench.consume({ handle: () => opened.then(() => DONE) })
    await waitFor(() => claims.length === 1, { what: 'one is taken' })
    await bench.server.stop()
    let over = false
    const stopping = consumer.stop().finally(() => {
      over = true
    })
    open()
    await delay(4000)
    expect(over).toBe(false)
    await bench.server.restart()
    expect(await stopping).toBe(true)
  })
})

describe('settling tasks', () => {
  test('a failure is tried again after each interval, then it has failed', async () => {
    await add({ id: 'f', retries: 3, retryIntervalsMs: [50, 100] })
    const times: number[] = []
    const { claims } = await bench.consume({
      handle: () => {
        times.push(performance.now())
        return failed(true, 'no money')
      },
    })
    await stateIs('f', 'failed')
    expect(claims.map(one => [one.attempt, one.deaths, one.retryInMs])).toEqual([
      [1, 0, 50],
      [2, 0, 100],
      [3, 0, 100],
      [4, 0, undefined],
    ])
    const waits = times.slice(1).map((time, n) => time - (times[n] ?? 0))
    for (const [n, least] of [45, 95, 95].entries()) expect(waits[n]).toBeGreaterThan(least)
    expect(await bench.queues.find([Q], 'f')).toMatchObject({
      state: 'failed',
      answer: { code: 'fail', msg: 'no money', data: [] },
    })
  })

  test('one that is not to be retried has failed at once', async () => {
    await add({ id: 'f', retries: 3, retryIntervalsMs: [10] })
    const { claims } = await bench.consume({ handle: () => failed(false) })
    await stateIs('f', 'failed')
    expect(claims).toHaveLength(1)
  })

  test('one given back is as if it had never been taken, for whoever takes it next', async () => {
    await add({ id: 'a' }, { id: 'b' })
    const first = await bench.consume({ handle: () => ({ type: 'returned' }) })
    await waitFor(() => first.claims.length > 5, { what: 'it is taken and given back' })
    await first.consumer.stop()
    expect(new Set(first.claims.map(one => `${one.attempt} ${one.deaths}`))).toEqual(
      new Set(['1 0']),
    )
    const second = await bench.consume()
    await waitFor(() => second.claims.length === 2, { what: 'both are done' })
    expect(second.claims.map(one => [one.attempt, one.deaths])).toEqual([
      [1, 0],
      [1, 0],
    ])
  })

  test("one given back for later is nobody's until then, and no attempt, and others go on", async () => {
    await add({ id: 'a' }, { id: 'b' })
    const at: number[] = []
    const { claims } = await bench.consume({
      handle: ({ task }) => {
        if (task.id === 'b') return DONE
        return at.push(performance.now()) < 3 ? { type: 'returned', inMs: 200 } : DONE
      },
    })
    await waitFor(() => at.length === 3, { what: 'it is done' })
    expect(claims.slice(0, 2).map(one => one.task.id)).toEqual(['a', 'b'])
    expect(claims.map(one => [one.attempt, one.deaths])).toEqual(claims.map(() => [1, 0]))
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(195)
    expect((at[2] ?? 0) - (at[1] ?? 0)).toBeGreaterThan(195)
    await stateIs('a', 'completed')
  })

  test('one given back is the next to be taken, before those that waited', async () => {
    await add({ id: 'a' }, { id: 'b' }, { id: 'c' })
    let returned = false
    const { claims } = await bench.consume({
      handle: () => {
        if (returned) return DONE
        returned = true
        return { type: 'returned' }
      },
    })
    await waitFor(() => claims.length === 4, { what: 'all are done' })
    expect(claims.map(one => one.task.id)).toEqual(['a', 'a', 'b', 'c'])
  })

  test('a handler that throws (a bug) has its task wait, loses none, and stops nobody', async () => {
    await add({ id: 'bug' }, { id: 'next' })
    let thrown = false
    const { claims } = await bench.consume({
      handle: claim => {
        if (claim.task.id === 'next' || thrown) return DONE
        thrown = true
        throw new Error('bug')
      },
    })
    await stateIs('next', 'completed')
    await stateIs('bug', 'completed')
    expect(claims.map(one => [one.task.id, one.attempt, one.deaths])).toEqual([
      ['bug', 1, 0],
      ['next', 1, 0],
      ['bug', 1, 0],
    ])
  })
})

describe('the queues', () => {
  test('count what is where', async () => {
    const { open, opened } = door()
    await add(
      { id: 'active' },
      { id: 'w1' },
      { id: 'w2' },
      { id: 'd', startAt: Date.now() + 60_000 },
    )
    const { claims } = await bench.consume({ handle: () => opened.then(() => DONE) })
    await waitFor(() => claims.length === 1, { what: 'one runs' })
    await bench.redis.lpush('Task:Bad:sync_tasks', '{}')
    expect(await bench.queues.counts(Q)).toEqual({
      waiting: 2,
      delayed: 1,
      active: 1,
      bad: 1,
      paused: false,
    })
    open()
  })

  test('a paused one hands out nothing until it is resumed', async () => {
    await bench.queues.pause(Q)
    await add({ id: 'p' })
    const { claims } = await bench.consume()
    expect(await bench.queues.counts(Q)).toMatchObject({ waiting: 1, paused: true })
    const other = await bench.consume({ queue: aQueue({ taskKey: 'async_tasks' }) })
    await bench.queues.add('async_tasks', [aTask({ id: 'q' })])
    await waitFor(() => other.claims.length === 1, { what: 'another queue goes on' })
    expect(claims).toEqual([])
    await bench.queues.resume(Q)
    await waitFor(() => claims.length === 1, { what: 'it is taken' })
  })

  test('find a task wherever it is, and only there', async () => {
    await add({ id: '17', controller: 'c' })
    expect(await bench.queues.find(['async_tasks', Q], '17')).toMatchObject({
      state: 'waiting',
      task: { id: '17', taskKey: Q, controller: 'c' },
    })
    expect(await bench.queues.find(['async_tasks'], '17')).toBeUndefined()
    expect(await bench.queues.find([Q], '18')).toBeUndefined()
    expect(await bench.queues.state(Q, '18')).toBe('unknown')
    const { claims } = await bench.consume({
      handle: () => ({ type: 'done', answer: { code: 'succ', msg: 'm', data: { a: 1 } } }),
    })
    await waitFor(() => claims.length === 1, { what: 'it is taken' })
    await stateIs('17', 'completed')
    expect((await bench.queues.find([Q], '17'))?.answer).toEqual({
      code: 'succ',
      msg: 'm',
      data: { a: 1 },
    })
  })

  test('remove what waits, not what runs', async () => {
    const { open, opened } = door()
    await add({ id: 'runs' }, { id: 'waits' }, { id: 'delayed', startAt: Date.now() + 60_000 })
    const { claims } = await bench.consume({ handle: () => opened.then(() => DONE) })
    await waitFor(() => claims.length === 1, { what: 'one runs' })
    const removed = await Promise.all(
      ['runs', 'waits', 'delayed', 'nobody'].map(id => bench.queues.remove(Q, id)),
    )
    expect(removed).toEqual([false, true, true, false])
    open()
    await stateIs('runs', 'completed')
    expect(claims).toHaveLength(1)
  })

  test('retry what failed, with all its retries, and go on counting its attempts', async () => {
    await add({ id: 'f', retries: 1, retryIntervalsMs: [10] })
    const { claims } = await bench.consume({ handle: () => failed(true) })
    await stateIs('f', 'failed')
    expect(await bench.queues.retry(Q, 'f')).toBe(true)
    await waitFor(() => claims.length === 4, { what: 'two more attempts' })
    await stateIs('f', 'failed')
    expect(claims.map(one => [one.attempt, one.deaths, one.retryInMs])).toEqual([
      [1, 0, 10],
      [2, 0, undefined],
      [3, 0, 10],
      [4, 0, undefined],
    ])
    expect([await bench.queues.retry(Q, 'nobody'), await bench.queues.retry(Q, 'f')]).toEqual([
      false,
      true,
    ])
  })

  test('a task that is there already stays as it is, also when it is done', async () => {
    await add({ id: 'same', controller: 'first' })
    await add({ id: 'same', controller: 'second' })
    const { claims } = await bench.consume()
    await waitFor(() => claims.length === 1, { what: 'it is taken' })
    await stateIs('same', 'completed')
    await add({ id: 'same', controller: 'third' }, { id: 'other' })
    await stateIs('other', 'completed')
    expect(claims.map(one => [one.task.id, one.task.controller])).toEqual([
      ['same', 'first'],
      ['other', ''],
    ])
  })

  test('a task is less than 1,000 bytes in Redis', async () => {
    const memory = async () =>
      Number(/used_memory:(\d+)/.exec(await bench.redis.info('memory'))?.[1] ?? 0)
    const before = await memory()
    const queues = new TaskQueues(
      bench.redis,
      () => Date.now(),
      () => 86_400_000,
    )
    for (let n = 0; n < 10; n += 1)
      await queues.add(
        Q,
        Array.from({ length: 500 }, (_, m) =>
          aTask({
            id: `0123456789abcdef-${n}-${m}`,
            script: '/var/www/points/index.php',
            controller: 'api/AccumulatePay',
            function: 'execute',
          }),
        ),
      )
    expect(((await memory()) - before) / 5000).toBeLessThan(1000)
    await queues.close()
  })
})
