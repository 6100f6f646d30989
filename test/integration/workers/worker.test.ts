import { closeSync, copyFileSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, realClock } from '../../../src/lib/clock.ts'
import { stringify } from '../../../src/lib/json-text.ts'
import type { FromWorker, RunEnded, WorkerLimits } from '../../../src/model/ipc.ts'
import type { QueueSpec } from '../../../src/model/queue-spec.ts'
import type { Task } from '../../../src/model/task.ts'
import { engineKeys } from '../../../src/queue/engine-keys.ts'
import { absentFile, OUTBOX, SIGNS } from '../../../src/queue/keys.ts'
import { nodeSpawner } from '../../../src/workers/spawn.ts'
import { TaskWorker } from '../../../src/workers/worker.ts'
import { launcherOf } from '../../support/launchers.ts'
import { aQueue, liveOwner, type QueueBench, queueBench } from '../../support/queue-bench.ts'
import { aTask, BASE, type Bench, bench } from '../../support/runs.ts'
import { waitFor } from '../../support/wait.ts'

const LIMITS: WorkerLimits = {
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
}
const Q = 'sync_tasks'
const ID = `node-${Q}-1`

let queue: QueueBench
let scripts: Bench
const working: TaskWorker[] = []
beforeAll(async () => {
  queue = await queueBench()
})
beforeEach(() => {
  scripts = bench()
})
afterEach(async () => {
  await Promise.all(working.splice(0).map(worker => worker.drain(0)))
  await queue.reset()
  await scripts.folder.remove()
})
afterAll(() => queue.remove())

async function work(
  spec: Partial<QueueSpec> = {},
  limits: Partial<WorkerLimits> = {},
  spawner = nodeSpawner(BASE),
  clock: Clock = realClock,
) {
  const sent: FromWorker[] = []
  const worker = new TaskWorker({
    init: {
      type: 'init',
      workerId: ID,
      node: 'node',
      instance: 'inst',
      redisUrl: queue.server.url,
      queue: aQueue(spec),
      restartNum: 0,
      limits: { ...LIMITS, ...limits },
    },
    redis: queue.connect(),
    owner: liveOwner(ID),
    clock,
    spawner,
    send: message => sent.push(message),
  })
  working.push(worker)
  await worker.start()
  const ended = () => sent.filter((one): one is RunEnded => one.type === 'ended')
  const ends = (count: number) =>
    waitFor(() => ended().length >= count && ended(), { what: `${count} runs have ended` })
  const begins = (id: string) =>
    waitFor(() => sent.some(one => one.type === 'started' && one.id === id), { what: `${id} runs` })
  return { worker, sent, ends, begins }
}

const push = (script: string, task: Partial<Task> = {}) =>
  queue.queues.add(Q, [aTask({ id: 'task-1', taskKey: Q, script, ...task })])

const failures = async () => {
  const entries = await queue.redis.xrange(OUTBOX, '-', '+')
  return entries.map(([, fields]) => JSON.parse(fields[1] ?? '') as Record<string, unknown>)
}

describe('a worker', () => {
  test('runs a task with the environment of its run, and says what happened', async () => {
    const script = scripts.write(
      'env.sh',
      'env | grep ^TASKD_ | sort > "$3"; echo \'{"code":"succ","msg":"m"}\'',
    )
    const file = join(scripts.folder.path, 'env')
    const { ends, sent } = await work()
    await push(script, { param: file, job: 'pay', scheduledAt: Date.UTC(2026, 10, 21, 9) })
    const [end] = await ends(1)
    const spoken = sent.map(one => one.type).filter(type => type !== 'pulse')
    expect(spoken).toEqual(['ready', 'started', 'ended'])
    expect(end).toMatchObject({
      id: 'task-1',
      job: 'pay',
      attempt: 1,
      outcome: 'succ',
      code: 'succ',
      msg: 'm',
    })
    const variables = Object.fromEntries(
      readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map(line => line.split('=') as [string, string]),
    )
    expect(variables).toEqual({
      TASKD_TASK_ID: 'task-1',
      TASKD_TASK_KEY: Q,
      TASKD_JOB: 'pay',
      TASKD_WORKER_ID: ID,
      TASKD_ATTEMPT: '1',
      TASKD_SCHEDULED_AT: expect.stringMatching(/^2026-11-2\dT\d\d:\d\d:00\.000[+-]/),
      TASKD_RUN: liveOwner(ID),
    })
  })

  test('numbers in an answer keep every digit, wherever it goes', async () => {
    const data = '{"id":1234567890123456789,"rate":1.10}'
    const script = scripts.write(
      'digits.sh',
      `printf 'Notice: x{"code":"succ","msg":{"n":12345678901234567890},"data":${data}}'`,
    )
    const { ends } = await work()
    await push(script, { replyTo: 'answers' })
    expect(await ends(1)).toMatchObject([{ msg: '{"n":12345678901234567890}' }])
    const [, reply] = (await queue.redis.blpop('answers', 10)) ?? []
    expect(reply).toContain(`"data":${data}`)
    await waitFor(async () => (await queue.queues.state(Q, 'task-1')) === 'completed', {
      what: 'the queue knows',
    })
    const row = await queue.redis.hgetall(`Task:Worker:${ID}`)
    expect(row['run_return']).toContain(`"data":${data}`)
    const found = await queue.queues.find([Q], 'task-1')
    expect(stringify(found?.answer)).toContain(`"data":${data}`)
  })

  test('numbers in an answer that failed keep every digit, too', async () => {
    const script = scripts.write(
      'digits.sh',
      `printf '{"code":"fail","msg":"no","data":[1234567890123456789]}'`,
    )
    const { ends } = await work()
    await push(script)
    await ends(1)
    await waitFor(async () => (await queue.queues.state(Q, 'task-1')) === 'failed', {
      what: 'the queue knows',
    })
    const found = await queue.queues.find([Q], 'task-1')
    expect(found?.failure).toMatchObject({ kind: 'answer', code: 'fail', msg: 'no' })
    expect(stringify(found?.answer)).toContain('[1234567890123456789]')
  })

  test.each([
    ['node', async () => nodeSpawner(BASE)],
    ['perl', () => launcherOf('perl')],
    ['compiled', () => launcherOf('compiled')],
  ])('what could not be started is tried again (%s)', async (_which, spawner) => {
    const script = join(scripts.folder.path, 'deployed.sh')
    const busy = scripts.write('busy', '', 0o755)
    copyFileSync('/bin/true', busy)
    const writer = openSync(busy, 'r+')
    const { ends, sent } = await work({ concurrency: 2 }, {}, await spawner())
    const retried = { retries: 3, retryIntervalsMs: [300] }
    await push(script, retried)
    await push(busy, { ...retried, id: 'task-2' })
    const [first, second] = await ends(2)
    for (const one of [first, second])
      expect(one).toMatchObject({ outcome: 'fail', kind: 'spawn', retryInMs: 300 })
    closeSync(writer)
    scripts.write('deployed.sh', 'exit 0')
    const done = () => sent.filter(one => one.type === 'ended' && one.outcome === 'succ')
    await waitFor(() => done().length === 2, { what: 'both have succeeded' })
    const kinds = (await failures()).map(row => row['kind'])
    expect(new Set(kinds)).toEqual(new Set(['spawn']))
  })

  test('has its row in Task:List while the task runs, and run_return after it', async () => {
    const script = scripts.write(
      'slow.sh',
      `while [ ! -e "$3" ]; do sleep 0.01; done; echo '{"code":"succ"}'`,
    )
    const file = join(scripts.folder.path, 'go')
    const { begins, ends } = await work()
    await push(script, { param: file })
    await begins('task-1')
    const row = await waitFor(
      async () => {
        const fields = await queue.redis.hgetall(`Task:List:${ID}:task-1`)
        return fields['pid'] ? fields : undefined
      },
      { what: 'the row has its pid' },
    )
    expect(row).toMatchObject({ worker_id: ID, script, attempt: '1' })
    scripts.write('go', '')
    await ends(1)
    await waitFor(async () => (await queue.redis.exists(`Task:List:${ID}:task-1`)) === 0, {
      what: 'the row is gone',
    })
    const worker = await queue.redis.hgetall(`Task:Worker:${ID}`)
    expect(JSON.parse(worker['run_return'] ?? '')).toEqual({ code: 'succ', msg: '', data: [] })
  })

  test('records each failed attempt, and answers the waiting caller once, after the last', async () => {
    const script = scripts.write('fail.sh', 'echo "try $TASKD_ATTEMPT"; exit 4')
    const { ends } = await work()
    await push(script, { retries: 2, retryIntervalsMs: [20], replyTo: 'answers' })
    const all = await ends(3)
    expect(all.map(end => [end.attempt, end.kind, end.retryInMs])).toEqual([
      [1, 'exit', 20],
      [2, 'exit', 20],
      [3, 'exit', undefined],
    ])
    expect((await failures()).map(row => [row['attempt'], row['msg'], row['exit_code']])).toEqual([
      [1, 'try 1', 4],
      [2, 'try 2', 4],
      [3, 'try 3', 4],
    ])
    const [, answer] = (await queue.redis.brpop('answers', 5)) ?? []
    expect(JSON.parse(answer ?? '')).toMatchObject({
      code: 'fail',
      msg: 'try 3',
      unique_task_id: 'task-1',
    })
    expect(await queue.redis.exists('answers')).toBe(0)
  })

  test('answers with a list that expires', async () => {
    const { ends } = await work()
    await push('/bin/true', { replyTo: 'answers' })
    await ends(1)
    expect(await queue.redis.pttl('answers')).toBeGreaterThan(3_000_000)
  })

  test('a reply list of another type is the caller’s mistake, and stops nothing', async () => {
    await queue.redis.set('answers', 'oops')
    const { ends } = await work()
    await push('/bin/true', { replyTo: 'answers' })
    await push('/bin/true', { id: 'task-2' })
    expect((await ends(2)).map(end => end.outcome)).toEqual(['succ', 'succ'])
    // It is somebody else's, and must not expire.
    expect(await queue.redis.pttl('answers')).toBe(-1)
  })

  test('cancels the task that runs, and that one only', async () => {
    const script = scripts.write('slow.sh', 'exec sleep 60')
    const { worker, begins, ends } = await work({ concurrency: 2 })
    await push(script, { retries: 5, retryIntervalsMs: [10] })
    await begins('task-1')
    worker.cancel('somebody', 'not here')
    worker.cancel('task-1', 'by hand')
    const [end] = await ends(1)
    expect(end).toMatchObject({ kind: 'cancelled', msg: 'by hand' })
    expect(end?.retryInMs).toBeUndefined()
    await waitFor(async () => (await queue.queues.state(Q, 'task-1')) === 'failed', {
      what: 'failed',
    })
  })

  test('takes the limits it is told while it runs', async () => {
    const script = scripts.write('slow.sh', 'exec sleep 60')
    const { worker, ends } = await work()
    worker.tune(1, { ...LIMITS, maxRunTimeMs: 100 })
    await push(script)
    expect((await ends(1))[0]).toMatchObject({ kind: 'timeout', msg: 'ran longer than 0.1 s' })
  })

  test('a task whose workers died with it three times is not run again', async () => {
    await push('/bin/true')
    await queue.redis.hset(`{taskd}:${Q}:task-1`, 'ats', '3')
    const { ends, sent } = await work()
    expect((await ends(1))[0]).toMatchObject({ kind: 'lost', outcome: 'fail' })
    expect(sent.some(one => one.type === 'started')).toBe(false)
    expect((await failures())[0]).toMatchObject({ kind: 'lost' })
  })

  test('an answer that is larger than what is kept of an output is bounded in Redis', async () => {
    const numbers = `'{"code":"later","data":[0' + ',1e20'.repeat(16000) + ']}'`
    const script = scripts.write('large.mjs', `console.log(${numbers})`)
    const { ends } = await work()
    await push(script)
    await ends(1)
    const returned = await queue.redis.hget(`Task:Worker:${ID}`, 'run_return')
    expect(JSON.parse(returned ?? '')).toEqual({ code: 'later', msg: '', data: [] })
  })
})

/** The setting of Redis, from when the task is here until it is looked at, and on. */
async function refusing(name: string, value: string, sent: FromWorker[], worker: TaskWorker) {
  const asked = await waitFor(() => sent.find(one => one.type === 'open-row'), {
    what: 'the task waits for its row',
  })
  await queue.redis.config('SET', name, value)
  worker.hearRow({ type: 'row', ask: asked.ask, row: { ok: true, value: 1 } })
  return { [Symbol.asyncDispose]: async () => void (await queue.redis.config('SET', name, '0')) }
}

test('a task whose file no node has fails also when Redis is full', async () => {
  const { worker, sent, ends } = await work({}, { binPath: scripts.folder.path })
  await push('absent.sh', { call: 'bin', rowId: 7 })
  await using _full = await refusing('maxmemory', '1', sent, worker)
  expect((await ends(1))[0]).toMatchObject({ outcome: 'fail', kind: 'spawn' })
  await waitFor(async () => (await queue.queues.state(Q, 'task-1')) === 'failed', {
    what: 'the queue knows it',
  })
})

describe('a task that is cancelled before its run has begun', () => {
  const cancelled = { outcome: 'fail', kind: 'cancelled', msg: 'by hand' }
  const gone = () =>
    waitFor(async () => (await queue.queues.state(Q, 'task-1')) === 'failed', {
      what: 'it is over',
    })

  test('does not run when it was in doubt whose it is', async () => {
    const { worker, sent, ends } = await work()
    await push('/bin/true', { rowId: 7 })
    const asked = await waitFor(() => sent.find(one => one.type === 'open-row'), {
      what: 'it waits for its row',
    })
    // Until Redis has answered, nobody knows whose the task is.
    await queue.redis.call('CLIENT', 'PAUSE', 60_000, 'WRITE')
    worker.confirm()
    worker.hearRow({ type: 'row', ask: asked.ask, row: { ok: true, value: 1 } })
    await new Promise(setImmediate)
    worker.cancel('task-1', 'by hand')
    await queue.redis.call('CLIENT', 'UNPAUSE')
    expect((await ends(1))[0]).toMatchObject(cancelled)
    await gone()
    expect(sent.some(one => one.type === 'started')).toBe(false)
    expect(await failures()).toMatchObject([{ unique_task_id: 'task-1', kind: 'cancelled' }])
  })

  test('does not go back to wait for a node that has its file', async () => {
    await queue.redis.hset(SIGNS, 'other@inst', '60000.1.1')
    const { worker, sent } = await work({}, { binPath: scripts.folder.path })
    await push('absent.sh', { call: 'bin' })
    await waitFor(async () => (await queue.redis.exists(absentFile('task-1'))) === 1, {
      what: 'it is left to the other node',
    })
    const over = await waitFor(
      () => {
        worker.cancel('task-1', 'by hand')
        return sent.find(one => one.type === 'ended')
      },
      { what: 'it is over' },
    )
    expect(over).toMatchObject(cancelled)
    await gone()
  })

  test('does not go back when Redis takes no note of the file that is not here', async () => {
    const { worker, sent } = await work({}, { binPath: scripts.folder.path })
    await push('absent.sh', { call: 'bin', rowId: 7 })
    await using _writes = await refusing('min-replicas-to-write', '1', sent, worker)
    await waitFor(async () => /NOREPLICAS/.test(await queue.redis.info('errorstats')), {
      what: 'Redis refuses the note',
    })
    worker.cancel('task-1', 'by hand')
    await queue.redis.config('SET', 'min-replicas-to-write', '0')
    const over = await waitFor(() => sent.find(one => one.type === 'ended'), { what: 'it is over' })
    expect(over).toMatchObject(cancelled)
    await gone()
  })

  test('does not go back when its run is ended because the worker leaves', async () => {
    const script = scripts.write('deaf.sh', `trap 'touch "$3"' TERM; while :; do sleep 0.01; done`)
    const told = join(scripts.folder.path, 'told')
    const { worker, begins, ends } = await work()
    await push(script, { param: told })
    await begins('task-1')
    const drained = worker.drain(0)
    await waitFor(() => existsSync(told), { what: 'the run is told to end' })
    worker.cancel('task-1', 'by hand')
    await drained
    expect((await ends(2))[1]).toMatchObject(cancelled)
    await gone()
  })
})

describe('a worker whose node has given no sign for half of node_timeout', () => {
  const OTHER = 'w2@other.00000000.1.1'
  /** Its monotonic clock can be put forward. */
  const movedClock = () => {
    let by = 0
    const clock = { ...realClock, monotonic: () => realClock.monotonic() + by }
    return { clock, forward: (ms: number) => (by += ms) }
  }
  /** As another node does that takes this one for gone. */
  const takeOver = async () => {
    const { job, lock } = engineKeys(Q)
    await queue.redis.set(lock('task-1'), `${OTHER}:0`)
    await queue.redis.hset(job('task-1'), 'pb', OTHER)
  }
  const letGo = { outcome: 'returned', msg: 'another worker has taken it over' }
  const hears = (sent: FromWorker[]) =>
    waitFor(() => sent.find(one => one.type === 'log' && /another node has taken/.test(one.msg)), {
      what: 'it has made sure of what it has',
    })
  const untilGo = () => {
    const script = scripts.write('wait.sh', 'while [ ! -e "$3" ]; do sleep 0.01; done; exit 1')
    return push(script, { param: join(scripts.folder.path, 'go') })
  }

  test('does not begin a task that another has by now', async () => {
    const { clock, forward } = movedClock()
    const { worker, sent, ends } = await work({}, {}, undefined, clock)
    await push('/bin/true', { rowId: 7 })
    const asked = await waitFor(() => sent.find(one => one.type === 'open-row'), {
      what: 'it waits for its row',
    })
    await takeOver()
    forward(31_000)
    worker.hearRow({ type: 'row', ask: asked.ask, row: { ok: true, value: 1 } })
    expect((await ends(1))[0]).toMatchObject(letGo)
    expect(sent.some(one => one.type === 'started')).toBe(false)
  })

  test('records no end of a run whose task another has by now', async () => {
    const { clock, forward } = movedClock()
    const { begins, ends } = await work({}, { fence: 'off' }, undefined, clock)
    await untilGo()
    await begins('task-1')
    await takeOver()
    forward(31_000)
    scripts.write('go', '')
    expect((await ends(1))[0]).toMatchObject(letGo)
    expect(await failures()).toEqual([])
    expect(await queue.queues.state(Q, 'task-1')).toBe('active')
  })

  test('asks what it has with the next sign', async () => {
    const { clock, forward } = movedClock()
    const limits = { fence: 'off', nodeTimeoutMs: 6000 } as const
    const { begins, sent } = await work({}, limits, undefined, clock)
    await untilGo()
    await begins('task-1')
    await takeOver()
    forward(3100)
    expect(await hears(sent)).toMatchObject({ fields: { task: 'task-1' } })
  })

  test('asks what it has when the others say that it was gone', async () => {
    const { begins, sent } = await work({}, { fence: 'off', nodeTimeoutMs: 6000 })
    await untilGo()
    await begins('task-1')
    await takeOver()
    await queue.redis.hset(SIGNS, 'node@inst', 'gone 2026-11-21T09:00:00Z')
    expect(await hears(sent)).toMatchObject({ fields: { task: 'task-1' } })
  })
})

describe('a worker that is told to leave', () => {
  test('finishes what runs, takes nothing more, and says so in its row', async () => {
    const script = scripts.write('slow.sh', `while [ ! -e "$3" ]; do sleep 0.01; done`)
    const { worker, begins, ends } = await work()
    await push(script, { param: join(scripts.folder.path, 'go') })
    await push('/bin/true', { id: 'task-2' })
    await begins('task-1')
    const drained = worker.drain(Number.POSITIVE_INFINITY)
    scripts.write('go', '')
    await drained
    expect((await ends(1)).map(end => [end.id, end.outcome])).toEqual([['task-1', 'succ']])
    expect(await queue.queues.counts(Q)).toMatchObject({ waiting: 1, active: 0 })
    expect(await queue.redis.hget(`Task:Worker:${ID}`, 'status')).toBe('stop')
  })

  test('gives back what still runs after its time, unharmed, and no failure is recorded', async () => {
    const script = scripts.write('slow.sh', 'exec sleep 60')
    const { worker, begins, ends } = await work()
    await push(script)
    await begins('task-1')
    const slow = worker.drain(60_000)
    await Promise.all([slow, worker.drain(50)])
    expect((await ends(1))[0]).toMatchObject({ outcome: 'returned' })
    expect(await queue.queues.counts(Q)).toMatchObject({ waiting: 1, active: 0 })
    expect(await failures()).toEqual([])
    const next = await queue.consume()
    await waitFor(() => next.claims.length === 1, { what: 'it is taken again' })
    expect(next.claims[0]).toMatchObject({ attempt: 1, deaths: 0 })
  })

  test('gives back at once what waits for the pause between tasks', async () => {
    const { worker, ends } = await work({ periodMs: 60_000 })
    await push('/bin/true')
    await push('/bin/true', { id: 'task-2' })
    await ends(1)
    await waitFor(async () => (await queue.queues.counts(Q)).active === 1, {
      what: 'task-2 is taken',
    })
    const from = performance.now()
    await worker.drain(Number.POSITIVE_INFINITY)
    expect(performance.now() - from).toBeLessThan(5000)
    expect(await queue.queues.counts(Q)).toMatchObject({ waiting: 1, active: 0 })
  })
})

describe('the pause between tasks', () => {
  test('lasts from the end of one to the start of the next', async () => {
    const { sent, ends } = await work({ periodMs: 300 })
    for (const id of ['a1', 'a2', 'a3']) await push('/bin/true', { id })
    const from = performance.now()
    await ends(3)
    expect(performance.now() - from).toBeGreaterThan(550)
    expect(sent.filter(one => one.type === 'started')).toHaveLength(3)
  })

  test('a task in it can be cancelled', async () => {
    const { worker, ends } = await work({ periodMs: 3000 })
    await push('/bin/true', { id: 'a1' })
    await push('/bin/true', { id: 'a2', retries: 3, retryIntervalsMs: [10] })
    await ends(1)
    await waitFor(async () => (await queue.queues.state(Q, 'a2')) === 'active', {
      what: 'a2 is taken',
    })
    await waitFor(
      () => {
        worker.cancel('a2', 'by hand')
        return ends(2)
      },
      { what: 'a2 is over' },
    )
    expect((await ends(2))[1]).toMatchObject({ id: 'a2', kind: 'cancelled', msg: 'by hand' })
  })
})
