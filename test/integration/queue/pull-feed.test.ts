import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import { readPullMessage, toPullTask } from '../../../src/model/pull-message.ts'
import { parseTask } from '../../../src/model/task.ts'
import { Intake } from '../../../src/queue/intake.ts'
import { pullSink } from '../../../src/queue/intake-sink.ts'
import { badList, intakeList } from '../../../src/queue/keys.ts'
import { PullFeed } from '../../../src/queue/pull-feed.ts'
import { recordedLog } from '../../support/logs.ts'
import { aTask, idsOf, type PullBench, pullBench, someTasks } from '../../support/pull-bench.ts'
import { far } from '../../support/pull-master.ts'
import { waitFor } from '../../support/wait.ts'

let bench: PullBench
let feed: PullFeed
const intakes: Intake<unknown>[] = []
beforeAll(async () => {
  bench = await pullBench()
  feed = new PullFeed(bench.redis, () => bench.now)
})
afterEach(async () => {
  await Promise.all(intakes.splice(0).map(intake => intake.stop()))
  await bench.reset()
})
afterAll(() => bench.remove())

async function take(spec = far(), isFull = () => false) {
  const connections = await Promise.all([bench.connect('work'), bench.connect('work')])
  const intake = new Intake(spec, {
    isFull,
    connect: () => connections[0],
    redis: connections[1],
    sink: pullSink(spec, feed),
    clock: realClock,
    log: recordedLog().log,
    node: 'node',
  })
  intakes.push(intake)
  await intake.start()
}

const todo = async () => (await bench.queue().counts()).todo
const hasTodo = (count: number) =>
  waitFor(async () => (await todo()) === count, { what: `${count} tasks wait` })

describe('the plain list of a pull queue', () => {
  test('each message becomes a task with an id, in order, and its text is the content', async () => {
    await bench.redis.lpush(
      'far',
      '{"task_id":"a", "n":1.0}',
      ' {"unique_task_id":"b"} ',
      '{"c":1}',
    )
    await take()
    await hasTodo(3)
    const claimed = await bench.queue().claim(9)
    expect(claimed.map(one => one.content)).toEqual([
      '{"task_id":"a", "n":1.0}',
      '{"unique_task_id":"b"}',
      '{"c":1}',
    ])
    expect(claimed.map(one => one.id)).toEqual(['a', 'b', expect.stringMatching(/^\w+-\d$/)])
    expect(await bench.redis.exists('far', intakeList('far', 'node'))).toBe(0)
  })

  test('what is no object, or has an id that is none, goes to the bad ones', async () => {
    await bench.redis.lpush('far', '[1]', 'nonsense', '{"task_id":{}}', '{"task_id":"\\u0001"}')
    await take()
    await waitFor(async () => (await bench.redis.llen(badList('far'))) === 4, {
      what: '4 bad ones',
    })
    const entries = await bench.redis.lrange(badList('far'), 0, -1)
    const reasons = entries.map(entry => (JSON.parse(entry) as { reason: string }).reason)
    expect(reasons.toReversed()).toEqual([
      'not a JSON object',
      expect.stringContaining('not JSON'),
      '"task_id" is no string and no whole number',
      expect.stringContaining('control characters'),
    ])
  })

  test('at capacity the rest stays in the list, and follows', async () => {
    await bench.redis.lpush('far', ...Array.from({ length: 7 }, (_, n) => `{"task_id":${n}}`))
    await take(far({ capacity: 3 }))
    await hasTodo(3)
    expect(await bench.redis.llen('far')).toBe(4)
    expect(idsOf(await bench.queue().claim(3))).toEqual(['0', '1', '2'])
    await hasTodo(3)
    expect(idsOf(await bench.queue().claim(3))).toEqual(['3', '4', '5'])
  })

  test('what was taken before a crash is sent again, and is no second task', async () => {
    const mine = intakeList('far', 'node')
    await bench.redis.rpush(mine, 'mx-1\n{"task_id":"a"}', 'mx-2\n{"task_id":"b"}', 'mx-3\n{}')
    const queue = bench.queue()
    await queue.push([aTask('a'), aTask('b')])
    await queue.claim(1)
    await queue.report({ finish: [{ id: 'a' }] })
    await take()
    await waitFor(async () => (await bench.redis.llen(mine)) === 0, { what: 'all is sent' })
    expect(idsOf(await queue.claim(9))).toEqual(['b', 'x-3'])
  })
})

describe('a Redis without memory to spare', () => {
  afterEach(() => bench.redis.config('SET', 'maxmemory', '0'))

  test('has its list taken in and worked off, though nobody can push', async () => {
    const ids = Array.from({ length: 250 }, (_, n) => `m${n}`)
    for (const id of ids) await bench.redis.lpush('far', `{"task_id":"${id}"}`)
    await bench.redis.rpush(intakeList('far', 'node'), 'mx-1\n{"task_id":"left"}')
    await bench.redis.config('SET', 'maxmemory', '1')
    const queue = bench.queue()
    await expect(queue.push([aTask('new')])).rejects.toThrow('OOM')
    await take(far(), () => true)
    const done: string[] = []
    await waitFor(
      async () => {
        // As an agent whose first answer was lost.
        await queue.claim(50, 'agent', `claim-${done.length}`)
        const claimed = await queue.claim(50, 'agent', `claim-${done.length}`)
        const { finish } = await queue.report({ finish: claimed.map(({ id }) => ({ id })) })
        done.push(...finish.filter(one => one.answer === 'finished').map(one => one.id))
        return done.length === 251
      },
      { what: 'all are done' },
    )
    expect(done).toEqual(['left', ...ids])
    expect(await bench.redis.exists('far', intakeList('far', 'node'))).toBe(0)
  })
})

describe('what comes from inside', () => {
  test('the same id is one task while it is remembered: open, finished or dead', async () => {
    const spec = far({ retries: 1 })
    const queue = bench.queue({ retries: 1 })
    await feed.addOnce(spec, someTasks(3))
    await queue.claim(2)
    await queue.report({ finish: [{ id: 't0' }], failed: [{ id: 't1' }] })
    expect(await feed.places('far', ['t0', 't1', 't2', 't3'])).toEqual([
      'finished',
      'dead',
      'open',
      'unknown',
    ])
    await feed.addOnce(spec, someTasks(4))
    expect(idsOf(await queue.claim(9))).toEqual(['t2', 't3'])
    expect(await feed.isOpen('far', 't2')).toBe(true)
  })

  test('where there is no room, it says so, and what found room stays', async () => {
    const spec = far({ capacity: 2 })
    await expect(feed.addOnce(spec, someTasks(3))).rejects.toMatchObject({ code: 'E_FULL' })
    expect(await todo()).toBe(2)
    await bench.queue().claim(2)
    await feed.addOnce(spec, someTasks(3))
    expect(idsOf(await bench.queue().claim(9))).toEqual(['t2'])
  })
})

test('a task of ours comes out of its content as it went in', () => {
  const message = { script: '/x.sh', controller: 'c', function: 'f', param: { a: [1, 2] } }
  const task = parseTask({ ...message, max_run_time: 90 }, 'far', 'id-1')
  if (!task.ok) throw new Error(task.reason)
  const { id, content } = toPullTask(task.value)
  const again = parseTask(JSON.parse(content), 'far', id)
  expect(again).toEqual(task)
  expect(readPullMessage(JSON.parse(content), content, 'other')).toMatchObject({ value: { id } })
})
