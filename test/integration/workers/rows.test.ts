import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import type { FromWorker, OpenRow, RunEnded } from '../../../src/model/ipc.ts'
import type { Task } from '../../../src/model/task.ts'
import { RUN_ENDS } from '../../../src/queue/keys.ts'
import { nodeSpawner } from '../../../src/workers/spawn.ts'
import { TaskWorker } from '../../../src/workers/worker.ts'
import { aFunction, aProject, type Project } from '../../support/functions.ts'
import { aQueue, liveOwner, type QueueBench, queueBench } from '../../support/queue-bench.ts'
import { aTask, BASE } from '../../support/runs.ts'
import { waitFor } from '../../support/wait.ts'

const Q = 'async_tasks'
const ID = `node-${Q}-1`

let queue: QueueBench
let project: Project
const working: TaskWorker[] = []
beforeAll(async () => {
  queue = await queueBench()
})
beforeEach(() => {
  project = aProject()
})
afterEach(async () => {
  await Promise.all(working.splice(0).map(worker => worker.drain(0)))
  await queue.reset()
  await project.folder.remove()
})
afterAll(() => queue.remove())

/** A worker of a master that answers its questions as the test says; not at all when it says nothing. */
async function work(answer: (ask: OpenRow, n: number) => number | string | undefined) {
  const sent: FromWorker[] = []
  const asks: OpenRow[] = []
  const hear = (message: FromWorker) => {
    sent.push(message)
    if (message.type !== 'open-row') return
    const said = answer(message, asks.push(message))
    const row =
      typeof said === 'number'
        ? ({ ok: true, value: said } as const)
        : ({ ok: false, reason: said ?? '' } as const)
    if (said !== undefined)
      queueMicrotask(() => worker.hearRow({ type: 'row', ask: message.ask, row }))
  }
  const worker = new TaskWorker({
    init: {
      type: 'init',
      workerId: ID,
      node: 'node',
      instance: 'inst',
      redisUrl: queue.server.url,
      queue: aQueue({ taskKey: Q, mode: 'async', concurrency: 1 }),
      restartNum: 0,
      limits: {
        maxRunTimeMs: 60_000,
        killWaitMs: 1000,
        nodeTimeoutMs: 60_000,
        fence: 'sync',
        resultKeepMs: 3_600_000,
        resultKeepCount: 10_000,
        failKeepMs: 3_600_000,
        php: 'php',
        failOnStderr: false,
        timezone: 'UTC',
        tasks: project.tasks,
      },
    },
    redis: queue.connect(),
    owner: liveOwner(ID),
    clock: realClock,
    spawner: nodeSpawner(BASE),
    send: hear,
  })
  working.push(worker)
  await worker.start()
  const ended = () => sent.filter((one): one is RunEnded => one.type === 'ended')
  const ends = (count: number) =>
    waitFor(() => ended().length >= count && ended(), { what: `${count} runs have ended` })
  const begins = () => waitFor(() => sent.some(one => one.type === 'started'), { what: 'it runs' })
  return { worker, sent, asks, ends, begins }
}

const push = (...tasks: Task[]) => queue.queues.add(Q, tasks)
const fn = (name: string, changes: Partial<Task> = {}) =>
  aFunction(name, '', { id: `run-${name}`, taskKey: Q, rowId: 3, ...changes })

const ends = async () => {
  const all = await queue.redis.hgetall(RUN_ENDS)
  return Object.entries(all).map(([id, text]) => {
    const { status, extra } = JSON.parse(text) as { status: string; extra: string }
    return { id, status, extra: JSON.parse(extra) as Record<string, unknown> }
  })
}

test('a run of a row of task asks for its row, knows it, and leaves its end in Redis', async () => {
  project.write(
    'cron/env.mjs',
    'export const env = (key, run) => [run.sub_task_id, process.env.TASKD_SUB_TASK_ID]',
  )
  const { asks, ends: over } = await work(() => 41)
  await push(fn('env'))
  await over(1)
  expect(asks).toEqual([{ type: 'open-row', ask: 1, rowId: 3, id: 'run-env', attempt: 1 }])
  expect(await ends()).toEqual([
    {
      id: '41',
      status: 'succ',
      extra: {
        code: 'succ',
        msg: '',
        data: [41, '41'],
        kind: '',
        duration_ms: expect.any(Number),
        unique_task_id: 'run-env',
        attempt: 1,
        worker_id: ID,
        node: 'node',
      },
    },
  ])
})

test('the end is there before the queue knows of it, and each attempt has a row', async () => {
  project.write('cron/thrower.mjs', 'export const thrower = () => { throw new Error("no") }')
  const { ends: over } = await work((_ask, n) => 10 + n)
  await push(fn('thrower', { retries: 1, retryIntervalsMs: [10] }))
  await over(2)
  expect(
    (await ends()).map(one => [one.id, one.status, one.extra['attempt'], one.extra['msg']]),
  ).toEqual([
    ['11', 'fail', 1, 'no'],
    ['12', 'fail', 2, 'no'],
  ])
})

test('a task without a row asks for none', async () => {
  project.write('/plain.sh', `echo '{"code":"succ"}'`)
  const { asks, ends: over } = await work(() => 1)
  await push(aTask({ id: 'plain', taskKey: Q, script: join(project.folder.path, 'plain.sh') }))
  await over(1)
  expect(asks).toEqual([])
  expect(await ends()).toEqual([])
})

test('without a row it does not run, the next task does, and no attempt is counted', async () => {
  project.write('cron/later.mjs', 'export const later = () => "ran"')
  project.write('/plain.sh', `echo '{"code":"succ"}'`)
  const { asks, ends: over } = await work((_ask, n) => (n < 2 ? 'the database is away' : 5))
  const plain = aTask({ id: 'plain', taskKey: Q, script: join(project.folder.path, 'plain.sh') })
  await push(fn('later'), plain)
  const all = await over(2)
  expect(all.map(one => [one.id, one.attempt, one.outcome])).toEqual([
    ['plain', 1, 'succ'],
    ['run-later', 1, 'succ'],
  ])
  expect(asks.map(one => [one.ask, one.attempt])).toEqual([
    [1, 1],
    [2, 1],
  ])
  expect((await ends()).map(one => one.id)).toEqual(['5'])
})

test('one that is cancelled while it waits for its row is not run', async () => {
  project.write('cron/never.mjs', 'export const never = () => 1')
  const {
    worker,
    sent,
    ends: over,
  } = await work(({ id, ask }) => {
    worker.cancel(id, 'by hand')
    queueMicrotask(() => worker.hearRow({ type: 'row', ask, row: { ok: true, value: 9 } }))
    return undefined
  })
  await push(fn('never'))
  expect(await over(1)).toMatchObject([{ outcome: 'fail', kind: 'cancelled' }])
  expect(sent.some(one => one.type === 'started')).toBe(false)
  expect(await ends()).toMatchObject([{ id: '9', status: 'fail', extra: { msg: 'by hand' } }])
})

test('a worker that is to leave waits for no row, and gives back what waits', async () => {
  project.write('cron/never.mjs', 'export const never = () => 1')
  const { worker, asks } = await work(() => undefined)
  await push(fn('never'))
  await waitFor(() => asks.length === 1, { what: 'it has asked' })
  await worker.drain(0)
  expect(await queue.queues.state(Q, 'run-never')).toBe('waiting')
})

test('a run that is given back has ended as such; its attempt is made again', async () => {
  project.write(
    'cron/slow.mjs',
    'export const slow = () => new Promise(() => setInterval(() => {}, 1000))',
  )
  const { worker, begins } = await work(() => 6)
  await push(fn('slow'))
  await begins()
  await worker.drain(0)
  expect(await ends()).toMatchObject([
    { id: '6', status: 'fail', extra: { kind: 'returned', attempt: 1 } },
  ])
  expect(await queue.queues.find([Q], 'run-slow')).toMatchObject({ state: 'waiting', attempts: 0 })
})

test('an answer of any size has an extra that fits', async () => {
  project.write(
    'cron/much.mjs',
    'export const much = () => ({ code: "x", msg: "é".repeat(59000 / 2) })',
  )
  const { ends: over } = await work(() => 2)
  await push(fn('much'))
  await over(1)
  const text = (await queue.redis.hget(RUN_ENDS, '2')) ?? ''
  const { status, extra } = JSON.parse(text) as { status: string; extra: string }
  expect(status).toBe('fail')
  expect(Buffer.byteLength(extra)).toBeLessThan(65_536)
  expect(JSON.parse(extra)).toMatchObject({ code: 'x', attempt: 1 })
})
