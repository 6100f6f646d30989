import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import { createClient } from '../../../src/queue/connection.ts'
import { engineKeys } from '../../../src/queue/engine-keys.ts'
import { fromJobId } from '../../../src/queue/job-id.ts'
import { badList, intakeList } from '../../../src/queue/keys.ts'
import { withScripts } from '../../../src/queue/scripts.ts'
import { TaskQueues } from '../../../src/queue/task-queues.ts'
import { startProxy } from '../../nemesis/proxy.ts'
import { aQueue, type QueueBench, queueBench } from '../../support/queue-bench.ts'
import { aTask } from '../../support/runs.ts'
import { tempDir } from '../../support/servers.ts'
import { waitFor } from '../../support/wait.ts'

let bench: QueueBench
beforeAll(async () => {
  bench = await queueBench()
})
afterEach(() => bench.reset())
afterAll(() => bench.remove())

const message = (fields: object = {}) =>
  JSON.stringify({ task_key: 'sync_tasks', script: '/bin/true', ...fields })

const waiting = async (taskKey = 'sync_tasks') => (await bench.queues.counts(taskKey)).waiting

const hasWaiting = (count: number) =>
  waitFor(async () => (await waiting()) === count, { what: `${count} tasks wait` })

const badOnes = async (count: number, taskKey = 'sync_tasks') => {
  await waitFor(async () => (await bench.redis.llen(badList(taskKey))) === count, {
    what: `${count} bad messages`,
  })
  const entries = await bench.redis.lrange(badList(taskKey), 0, -1)
  return entries.toReversed().map(entry => JSON.parse(entry) as Record<string, string>)
}

describe('the intake', () => {
  test('takes what was and what will be pushed, in order, and leaves no trace in Redis', async () => {
    for (const n of [1, 2, 3])
      await bench.redis.lpush('sync_tasks', message({ controller: `${n}` }))
    await bench.intake().start()
    await hasWaiting(3)
    await bench.redis.lpush('sync_tasks', message({ controller: '4' }))
    const { claims } = await bench.consume()
    await waitFor(() => claims.length === 4, { what: 'all are taken' })
    expect(claims.map(claim => claim.task.controller)).toEqual(['1', '2', '3', '4'])
    expect(await bench.redis.exists('sync_tasks', intakeList('sync_tasks', 'node'))).toBe(0)
  })

  test('bad messages go beside a key of another type, and hold up nobody', async () => {
    await bench.redis.set(badList('sync_tasks'), 'mine')
    await bench.redis.lpush('sync_tasks', 'junk', message({ controller: 'good' }))
    await bench.intake().start()
    await hasWaiting(1)
    const aside = `${badList('sync_tasks')}:list`
    await waitFor(async () => (await bench.redis.llen(aside)) === 1, {
      what: 'the bad one is kept',
    })
    expect(await bench.queues.counts('sync_tasks')).toMatchObject({ waiting: 1, bad: 1 })
    expect(await bench.redis.get(badList('sync_tasks'))).toBe('mine')
  })

  test('a message that is not taken in yet is found by its id', async () => {
    const id = 'the-one'
    const others = Array.from({ length: 450 }, (_, n) => message({ unique_task_id: `o${n}` }))
    await bench.redis.lpush('async_tasks', ...others, message({ unique_task_id: id }), 'the-one')
    expect(await bench.queues.isListed('async_tasks', id)).toBe(true)
    expect(await bench.queues.isListed('async_tasks', 'the')).toBe(false)
    expect(await bench.queues.isListed('sync_tasks', id)).toBe(false)
  })

  test('leaves a client that does not come back, and takes with another', async () => {
    const made: ReturnType<typeof bench.connect>[] = []
    const connect = () => {
      const client = bench.connect()
      // As one of a cluster may, which has lost what it was to send.
      if (made.length === 0) client.takeBuffer = () => new Promise(() => undefined)
      made.push(client)
      return client
    }
    const sleep = (ms: number, signal?: AbortSignal) => realClock.sleep(ms / 50, signal)
    const intake = bench.intake(aQueue(), { connect, clock: { ...realClock, sleep } })
    await intake.start()
    await waitFor(() => made.length === 2, { what: 'it has another' })
    await bench.redis.lpush('sync_tasks', message())
    await hasWaiting(1)
    await intake.stop()
    expect(made[0]?.status).toBe('end')
  })

  test('keeps the order of thousands, over its batches', async () => {
    const all = Array.from({ length: 2300 }, (_, n) => message({ controller: `${n}` }))
    await bench.redis.lpush('sync_tasks', ...all)
    await bench.intake().start()
    const { claims } = await bench.consume()
    await waitFor(() => claims.length === all.length, { what: 'all are taken', timeoutMs: 30_000 })
    expect(claims.map(claim => Number(claim.task.controller))).toEqual(all.map((_, n) => n))
  })

  test('drops nothing unread when it has to say again what it has taken', async () => {
    const drop = bench.redis.dropTaken.bind(bench.redis)
    // As the client does when the connection breaks before the answer.
    bench.redis.dropTaken = async (...args) => {
      await drop(...args)
      return drop(...args)
    }
    const left = Array.from({ length: 1200 }, (_, n) => `mleft-${n}\n${message()}`)
    await bench.redis.rpush(intakeList('sync_tasks', 'node'), ...left)
    await bench.intake().start()
    await hasWaiting(1200)
    await waitFor(async () => !(await bench.redis.exists(intakeList('sync_tasks', 'node'))), {
      what: 'the private list is empty',
    })
    expect(await waiting()).toBe(1200)
    bench.redis.dropTaken = drop
  })

  test.each([
    ['reconnecting', 'cut'],
    ['connect', 'hold'],
  ] as const)('stops while its connection is lost (%s)', async (status, kind) => {
    const folder = tempDir('taskd-proxy-')
    await using proxy = await startProxy(join(folder.path, 'redis.sock'), bench.server.path)
    const client = withScripts(createClient(`unix:${proxy.path}`, 'work', 'test'))
    const intake = bench.intake(aQueue(), { connect: () => client })
    await intake.start()
    const blocked = async () => /cmd=blmove/.test(String(await bench.redis.client('LIST')))
    await waitFor(blocked, { what: 'it waits for messages' })
    proxy.set({ kind: 'cut' })
    await waitFor(() => client.status === 'reconnecting', { what: 'the connection is lost' })
    proxy.set({ kind })
    await waitFor(() => client.status === status, { what: `the client is at "${status}"` })
    await expect(intake.stop()).resolves.toBeUndefined()
    await folder.remove()
  })

  test('leaves a list to other nodes, but for what it had already taken', async () => {
    let leaves = true
    await bench.redis.rpush(intakeList('sync_tasks', 'node'), `mleft\n${message()}`)
    await bench.redis.lpush('sync_tasks', message(), message())
    await bench.intake(aQueue(), { leaves: () => leaves }).start()
    await hasWaiting(1)
    // Longer than a list that is not left would be let alone.
    await bench.redis.lpush('async_tasks', message())
    await bench.intake(aQueue({ taskKey: 'async_tasks' })).start()
    await waitFor(async () => (await waiting('async_tasks')) === 1, {
      what: 'another list is taken',
    })
    expect(await bench.redis.llen('sync_tasks')).toBe(2)
    leaves = false
    await hasWaiting(3)
  })

  test('the same id twice is one task; no id is an id of its own', async () => {
    const same = message({ unique_task_id: 'order-1' })
    await bench.redis.lpush('sync_tasks', same, same, message(), message())
    await bench.intake().start()
    await hasWaiting(3)
    const { claims } = await bench.consume()
    await waitFor(() => claims.length === 3, { what: 'all are taken' })
    await bench.redis.lpush('sync_tasks', same, message({ unique_task_id: 'order-2' }))
    await waitFor(() => claims.length === 4, { what: 'the new one is taken' })
    expect(claims.map(claim => claim.task.id).filter(id => id.startsWith('order'))).toEqual([
      'order-1',
      'order-2',
    ])
  })

  test.each([
    'a:b',
    '123456',
    1234567,
    '-5',
    'NaN',
    '~x',
    'a b%41',
    '字段',
    '0',
    'active',
    'wait',
    'meta',
  ])('the id %j is taken as it is', async id => {
    const fields = message({ unique_task_id: id })
    await bench.redis.lpush('sync_tasks', fields, fields)
    await bench.intake().start()
    const { claims } = await bench.consume()
    await waitFor(() => claims.length > 0, { what: 'it is taken' })
    expect(claims.map(claim => claim.task.id)).toEqual([String(id)])
    expect(await bench.queues.find(['sync_tasks'], String(id))).toMatchObject({
      task: { id: String(id) },
    })
  })

  test('19 digits stay 19 digits', async () => {
    const text = '{"script":"/bin/true","unique_task_id":1234567890123456789}'
    await bench.redis.lpush('sync_tasks', text)
    await bench.intake().start()
    await hasWaiting(1)
    expect(await bench.queues.state('sync_tasks', '1234567890123456789')).toBe('waiting')
  })

  test('a message that cannot be understood is set aside with the reason, and holds nobody up', async () => {
    const bad = ['nonsense', '[]', '{"controller":"x"}', message({ priority: 99 }), '']
    await bench.redis.lpush('sync_tasks', ...bad, message())
    await bench.intake().start()
    await hasWaiting(1)
    const entries = await badOnes(bad.length)
    expect(entries.map(entry => entry['message'])).toEqual(bad)
    expect(entries.map(entry => entry['reason'])).toEqual([
      expect.stringMatching(/^not JSON/),
      'not a JSON object',
      expect.stringContaining('"script" is missing'),
      expect.stringContaining('"priority"'),
      expect.stringMatching(/^not JSON/),
    ])
    for (const entry of entries) expect(Date.parse(entry['at'] ?? '')).toBeGreaterThan(1e12)
    expect((await bench.queues.counts('sync_tasks')).bad).toBe(bad.length)
    expect(bench.log.has('messages moved to Task:Bad:sync_tasks')).toBe(true)
  })

  test('bytes that are no text are kept as they are', async () => {
    const junk = Buffer.from(Array.from({ length: 5000 }, (_, n) => (n * 7919) % 256))
    await bench.redis.lpush('sync_tasks', junk)
    await bench.intake().start()
    const [entry] = await badOnes(1)
    expect(entry?.['reason']).toBe('not UTF-8')
    expect(Buffer.from(entry?.['message_base64'] ?? '', 'base64').equals(junk)).toBe(true)
  })

  test('a message of more than 1 MiB is set aside whole, unread; one of 1 MiB is read', async () => {
    const limit = 1 << 20
    const large = Buffer.alloc(limit + 1, 'x')
    const start = '{"script":"/bin/true","pad":"'
    const fits = `${start}${'y'.repeat(limit - start.length - 2)}"}`
    await bench.redis.lpush('sync_tasks', large, fits)
    await bench.intake().start()
    await hasWaiting(1)
    const [entry] = await badOnes(1)
    expect(entry?.['reason']).toBe(`message of ${limit + 1} bytes; at most ${limit} are read`)
    const [kept] = await bench.redis.lrangeBuffer(entry?.['message_key'] ?? '', 0, -1)
    expect(kept?.equals(large)).toBe(true)
  })

  test.each([
    [
      'an object that cannot become a text',
      '{"script":"s","start_time":{"toString":null,"valueOf":null}}',
    ],
    ['such a one in a list', '{"script":"s","time_interval":[{"toString":1,"valueOf":1}]}'],
    ['a prototype', '{"__proto__":{"script":"s"}}'],
    ['no prototype', '{"script":"s","start_time":{"__proto__":null},"n":1234567890123456789}'],
    ['depth', `{"script":"s","param":${'['.repeat(5000)}${']'.repeat(5000)}}`],
    ['more depth', '['.repeat(400_000)],
    ['a reply to our own list', message({ reply_to: 'sync_tasks' })],
    ['a reply to our own keys', message({ reply_to: 'Task:Outbox' })],
    ['a reply into the engine', message({ reply_to: '{taskd}:sync_tasks:wait' })],
  ])('%s is set aside, and the next message is taken', async (_what, text) => {
    await bench.redis.lpush('sync_tasks', text, message())
    await bench.intake().start()
    await hasWaiting(1)
    expect(await badOnes(1)).toHaveLength(1)
  })

  test('at capacity the rest stays in its list, in order', async () => {
    const all = Array.from({ length: 10 }, (_, n) => message({ controller: `${n}` }))
    await bench.redis.lpush('sync_tasks', ...all)
    const queue = aQueue({ capacity: 4 })
    await bench.intake(queue).start()
    await waitFor(async () => (await bench.redis.llen('sync_tasks')) === 6, { what: 'four are in' })
    await hasWaiting(4)
    const { claims } = await bench.consume()
    await waitFor(() => claims.length === 10, { what: 'all are taken' })
    expect(claims.map(claim => Number(claim.task.controller))).toEqual(all.map((_, n) => n))
  })

  test('what is not due has a capacity of its own, and what is due passes it', async () => {
    const later = Array.from({ length: 9 }, (_, n) =>
      message({ controller: `later ${n}`, start_time: Math.floor(Date.now() / 1000) + 3600 }),
    )
    const due = Array.from({ length: 6 }, (_, n) => message({ controller: `${n}` }))
    await bench.redis.lpush('sync_tasks', ...later, ...due)
    await bench.intake(aQueue({ capacity: 4 })).start()
    const { claims } = await bench.consume()
    await waitFor(() => claims.length === 6, { what: 'what is due runs' })
    expect(claims.map(claim => claim.task.controller)).toEqual(['0', '1', '2', '3', '4', '5'])
    const all = async () => {
      const { delayed } = await bench.queues.counts('sync_tasks')
      const mine = await bench.redis.llen(intakeList('sync_tasks', 'node'))
      return `${delayed} ${mine} ${await bench.redis.llen('sync_tasks')}`
    }
    await waitFor(async () => (await all()) === '4 0 5', { what: 'five of them wait in the list' })
    const [first] = await bench.redis.zrange(engineKeys('sync_tasks').delayed, '0', '0')
    await bench.queues.remove('sync_tasks', fromJobId(first ?? ''))
    await waitFor(async () => (await all()) === '4 0 4', { what: 'the next one is taken' })
  })

  test('while Redis is full, no more than a hundred that are not due are taken', async () => {
    const later = message({ start_time: Math.floor(Date.now() / 1000) + 3600 })
    await bench.redis.lpush('sync_tasks', ...Array.from({ length: 150 }, () => later), message())
    await bench.intake(aQueue(), { isFull: () => true }).start()
    await hasWaiting(1)
    await waitFor(async () => (await bench.redis.llen('sync_tasks')) === 50, {
      what: 'the rest is back in the list',
    })
    expect(await bench.queues.counts('sync_tasks')).toMatchObject({ waiting: 1, delayed: 100 })
  })

  test('what was a task before its node died is never put back into the list', async () => {
    const text = message({ start_time: Math.floor(Date.now() / 1000) + 3600 })
    const mine = intakeList('sync_tasks', 'node')
    await bench.redis.rpush(mine, `mhad\n${text}`, `mnew\n${text}`)
    const task = aTask({ id: 'had', taskKey: 'sync_tasks', startAt: Date.now() + 3_600_000 })
    await bench.queues.add('sync_tasks', [task], { messages: ['had'] })
    await bench.intake(aQueue({ capacity: 1 })).start()
    await waitFor(
      async () =>
        (await bench.redis.exists(mine)) === 0 && (await bench.redis.llen('sync_tasks')) === 1,
      { what: 'the other one is back in the list' },
    )
    expect(await bench.queues.counts('sync_tasks')).toMatchObject({ delayed: 1 })
  })

  test('start and stop repeat, and a stopped one takes nothing', async () => {
    const intake = bench.intake()
    await intake.stop()
    await intake.start()
    await intake.start()
    await intake.stop()
    await intake.stop()
    await bench.redis.lpush('sync_tasks', message())
    expect(await waiting()).toBe(0)
    await intake.start()
    await hasWaiting(1)
    expect(await bench.redis.llen('sync_tasks')).toBe(0)
  })

  test('two intakes, of two nodes, take each message once', async () => {
    const ids = Array.from({ length: 3000 }, (_, n) => `id-${n}`)
    await bench.intake(aQueue(), { node: 'a' }).start()
    await bench.intake(aQueue(), { node: 'b' }).start()
    const pipe = bench.redis.pipeline()
    for (const id of ids) pipe.lpush('sync_tasks', message({ unique_task_id: id }))
    await pipe.exec()
    await hasWaiting(3000)
    const { claims } = await bench.consume({ queue: aQueue({ concurrency: 50 }) })
    await waitFor(() => claims.length >= 3000, { what: 'all are taken', timeoutMs: 30_000 })
    expect(new Set(claims.map(claim => claim.task.id))).toEqual(new Set(ids))
    expect(claims).toHaveLength(3000)
  })
})

describe('an intake that is killed', () => {
  /** Queues that fail after, or before, the tasks are in the engine. */
  class Failing extends TaskQueues {
    times = 0
    readonly after: boolean
    constructor(after: boolean) {
      super(
        bench.redis,
        () => realClock.now(),
        () => 86_400_000,
      )
      this.after = after
    }
    override async add(...args: Parameters<TaskQueues['add']>): Promise<void> {
      this.times += 1
      if (this.after) await super.add(...args)
      throw new Error('killed here')
    }
  }

  test.each([false, true])(
    'with the tasks in the engine already (%s) has them sent again, none lost and none double',
    async after => {
      const all = Array.from({ length: 20 }, (_, n) => message({ controller: `${n}` }))
      await bench.redis.lpush('sync_tasks', ...all, 'nonsense')
      const queues = new Failing(after)
      const killed = bench.intake(aQueue(), { queues })
      await killed.start()
      await waitFor(() => queues.times > 1, { what: 'it has tried' })
      await killed.stop()
      expect(await bench.redis.llen(intakeList('sync_tasks', 'node'))).toBe(21)
      await bench.redis.lpush('sync_tasks', message({ controller: 'later' }))
      await bench.intake().start()
      await hasWaiting(21)
      const { claims } = await bench.consume()
      await waitFor(() => claims.length === 21, { what: 'all are taken' })
      expect(claims.map(claim => claim.task.controller)).toEqual([
        ...all.map((_, n) => String(n)),
        'later',
      ])
      expect(await badOnes(1)).toHaveLength(1)
      await queues.close()
    },
  )

  test('has nothing run twice, though what was sent is done and forgotten before it is sent again', async () => {
    const all = Array.from({ length: 10 }, (_, n) =>
      message({ unique_task_id: `own-${n}`, time_interval: '7 7' }),
    )
    await bench.redis.lpush('sync_tasks', ...all, all[0] ?? '', message())
    const queues = new Failing(true)
    const killed = bench.intake(aQueue(), { queues })
    await killed.start()
    await waitFor(() => queues.times > 0, { what: 'it has tried' })
    await killed.stop()
    const { claims } = await bench.consume()
    const stateOf = async () => (await bench.queues.counts('sync_tasks')).active === 0
    await waitFor(async () => claims.length === 11 && (await stateOf()), { what: 'all is done' })
    expect(claims[0]).toMatchObject({ task: { retries: 2 }, retryInMs: 7000 })
    // As when Redis is full, or result_keep_time is short.
    const { completed, job, taken } = engineKeys('sync_tasks')
    for (const id of await bench.redis.zrange(completed, '0', '-1')) await bench.redis.del(job(id))
    await bench.redis.del(completed)
    // Another node takes the batch over.
    const other = bench.intake(aQueue(), { node: 'other' })
    await bench.redis.rename(intakeList('sync_tasks', 'node'), intakeList('sync_tasks', 'other'))
    await bench.redis.lpush('sync_tasks', message({ controller: 'last' }))
    await other.start()
    await waitFor(() => claims.at(-1)?.task.controller === 'last', { what: 'a new one is done' })
    expect(claims).toHaveLength(12)
    // A new message with an id that was forgotten is a new task; and no mark is left.
    await bench.redis.lpush('sync_tasks', message({ unique_task_id: 'own-0' }))
    await waitFor(() => claims.length === 13, { what: 'it runs' })
    await waitFor(async () => (await bench.redis.exists(taken)) === 0, { what: 'no mark is left' })
    await queues.close()
  })

  test('has nothing run twice that another node took over while this one was held up', async () => {
    await bench.redis.lpush('sync_tasks', message())
    const { claims } = await bench.consume()
    const { completed, job } = engineKeys('sync_tasks')
    let takenOver = false
    class HeldUp extends TaskQueues {
      override async add(...args: Parameters<TaskQueues['add']>): Promise<void> {
        await super.add(...args)
        const [mine, other] = ['node', 'other'].map(node => intakeList('sync_tasks', node))
        await bench.redis.rename(mine ?? '', other ?? '')
        takenOver = true
      }
    }
    const queues = new HeldUp(bench.connect(), Date.now, () => 86_400_000)
    const heldUp = bench.intake(aQueue(), { queues })
    await heldUp.start()
    await waitFor(() => takenOver, { what: 'its batch is taken over' })
    await heldUp.stop()
    const done = () => bench.redis.zrange(completed, '0', '-1')
    const [id = ''] = await waitFor(async () => (await done()).length === 1 && (await done()), {
      what: 'it is done',
    })
    await bench.redis.del(job(id), completed)
    await bench.intake(aQueue(), { node: 'other' }).start()
    await bench.redis.lpush('sync_tasks', message({ controller: 'last' }))
    await waitFor(() => claims.at(-1)?.task.controller === 'last', { what: 'a new one is done' })
    expect(claims).toHaveLength(2)
    await queues.close()
  })

  test('a list of another type is told, and taken up once it is a list', async () => {
    await bench.redis.set('sync_tasks', 'oops')
    await bench.intake().start()
    await waitFor(() => bench.log.has('cannot take tasks from the list'), { what: 'it is told' })
    await bench.redis.del('sync_tasks')
    await bench.redis.lpush('sync_tasks', message())
    await hasWaiting(1)
    expect(await bench.redis.exists('sync_tasks', badList('sync_tasks'))).toBe(0)
  })

  test('Redis away and back: it goes on', async () => {
    const intake = bench.intake()
    await intake.start()
    await bench.redis.lpush('sync_tasks', message())
    await hasWaiting(1)
    await bench.server.restart()
    await bench.redis.lpush('sync_tasks', message())
    await hasWaiting(1)
    expect(await bench.redis.exists('sync_tasks', intakeList('sync_tasks', 'node'))).toBe(0)
  })
})
