import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import { signalGroup, startTimeOf } from '../../../src/lib/proc.ts'
import { Recovery } from '../../../src/master/recovery.ts'
import { type DaemonEvent, Events } from '../../../src/model/events.ts'
import { RUN_VARIABLE } from '../../../src/model/ipc.ts'
import { currentOwner, formatOwner } from '../../../src/model/owner.ts'
import { judge } from '../../../src/model/run-result.ts'
import { jobRuns, OUTBOX, runRow, SIGNS } from '../../../src/queue/keys.ts'
import { fieldOfOwner, goneSign } from '../../../src/queue/node-sign.ts'
import { VerdictKeeper } from '../../../src/workers/kept-verdicts.ts'
import type { Verdict } from '../../../src/workers/settle.ts'
import { recordedLog } from '../../support/logs.ts'
import { DONE, type QueueBench, queueBench } from '../../support/queue-bench.ts'
import { aTask } from '../../support/runs.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { waitFor } from '../../support/wait.ts'

const Q = 'sync_tasks'
/** Of this process only: another run of this file beside it is another installation. */
const INSTANCE = `test${process.pid}`
const alive = formatOwner(currentOwner('w1', INSTANCE))
const dead = formatOwner({ ...currentOwner('w1', INSTANCE), startTime: 1 })

let bench: QueueBench
const folder = tempDir('taskd-verdicts-')
const ends: (() => void)[] = []
const started: ChildProcess[] = []
const recoveries: Recovery[] = []
beforeAll(async () => {
  bench = await queueBench()
})
afterEach(async () => {
  for (const { pid } of started.splice(0)) if (pid !== undefined) signalGroup(pid, 'SIGKILL')
  for (const recovery of recoveries.splice(0)) await recovery.stop()
  for (const end of ends.splice(0)) end()
  await bench.reset()
})
afterAll(async () => {
  await bench.remove()
  await folder.remove()
})

function recovering({
  taskKeys = [Q, 'async_tasks'],
  isGone = (_owner: string, _taskKey: string): boolean => false,
} = {}) {
  const events = new Events()
  const told: Extract<DaemonEvent, { type: 'recovered' }>[] = []
  events.subscribe(event => {
    if (event.type === 'recovered') told.push(event)
  })
  const recovery = new Recovery({
    redis: bench.redis,
    instance: INSTANCE,
    node: 'node',
    taskKeys: () => taskKeys,
    isGone,
    settings: () => ({ resultKeepMs: 3_600_000, timezone: 'UTC', verdictsDir: folder.path }),
    clock: realClock,
    events,
    log: recordedLog().log,
  })
  recoveries.push(recovery)
  return { recovery, told }
}

/** A task that an owner has taken and never settles. */
async function taken(owner: string, id = 'task-1') {
  await bench.queues.add(Q, [aTask({ id, taskKey: Q, replyTo: 'answers' })])
  const ended = new Promise<void>(resolve => ends.push(resolve))
  const { claims } = await bench.consume({ owner, handle: () => ended.then(() => DONE) })
  await waitFor(() => claims.length === 1, { what: 'it is taken' })
}

/** A run that ignores TERM, with a child of its own. */
function run(owner: string): number {
  const child = spawn('sh', ['-c', 'trap "" TERM; sleep 60 & sleep 60'], {
    detached: true,
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], [RUN_VARIABLE]: owner },
  })
  started.push(child)
  return child.pid ?? 0
}

test('a worker is woken for a task that the dead one had been woken for', async () => {
  const { claims } = await bench.consume({ owner: alive })
  await waitFor(async () => (await bench.redis.info('clients')).includes('blocked_clients:1'), {
    what: 'it waits',
  })
  // As if another had been woken and died before it took the task.
  await bench.queues.pause(Q)
  await bench.queues.add(Q, [aTask({ id: 'task-1', taskKey: Q })])
  await bench.redis.hdel(`{taskd}:${Q}:meta`, 'paused')
  const from = performance.now()
  await recovering().recovery.recover()
  await waitFor(() => claims.length === 1, { what: 'it is taken' })
  expect(performance.now() - from).toBeLessThan(2500)
})

describe('a task of another node', () => {
  const theirs = formatOwner({ ...currentOwner(`far-${Q}-1`, 'elsewhere'), boot: '00000000' })
  const field = fieldOfOwner(theirs, Q)
  const state = () => bench.queues.state(Q, 'task-1')

  test('goes back once that is gone; a pid in its row is a process of that machine', async () => {
    await taken(theirs)
    const pid = run('somebody else')
    await bench.redis.hset(runRow(`far-${Q}-1`, 'task-1'), { pid, start_runtime: 'x' })
    await bench.redis.hset(SIGNS, field, goneSign('2026-01-01T00:00:00Z'))
    const { recovery, told } = recovering({
      isGone: (owner, taskKey) => fieldOfOwner(owner, taskKey) === field,
    })
    await recovery.takeOver()
    expect([field, await state()]).toEqual(['far@elsewhere', 'waiting'])
    expect(told).toMatchObject([{ workerId: `far-${Q}-1`, outcome: 'given back', nodeGone: true }])
    expect(startTimeOf(pid)).toBeDefined()
  })

  test('stays its own when it gives a sign before its task is taken', async () => {
    await taken(theirs)
    await bench.redis.hset(SIGNS, field, '60000.1.2')
    const { recovery, told } = recovering({ isGone: () => true })
    await recovery.takeOver()
    expect([await state(), told]).toEqual(['active', []])
    expect(await bench.redis.get(`{taskd}:${Q}:task-1:lock`)).toContain('@elsewhere.')
  })

  test('of version 0.1, whose lock has expired, is known by who took it', async () => {
    await taken(theirs)
    await bench.redis.del(`{taskd}:${Q}:task-1:lock`)
    const asked: string[] = []
    const { recovery } = recovering({ isGone: owner => asked.push(owner) > 0 })
    await recovery.takeOver()
    expect([asked[0], await state()]).toEqual([theirs, 'waiting'])
  })
})

test('a dead worker’s run is ended before its task is given back, and its row goes', async () => {
  await taken(dead)
  const pid = run(dead)
  await bench.redis.hset(runRow('w1', 'task-1'), { pid: String(pid), start_runtime: 'x' })
  const { recovery, told } = recovering()
  const givenBack = waitFor(async () => (await bench.queues.counts(Q)).waiting === 1, {
    what: 'it is given back',
  }).then(() => startTimeOf(pid))
  await recovery.recover()
  expect(await givenBack).toBeUndefined()
  expect(told).toEqual([
    { type: 'recovered', taskId: 'task-1', workerId: 'w1', deaths: 1, outcome: 'given back' },
  ])
  expect(await bench.redis.exists(runRow('w1', 'task-1'))).toBe(0)
  expect(await bench.redis.xlen(OUTBOX)).toBe(0)
})

test('a run whose task nobody knows any more is ended too', async () => {
  const pid = run(dead)
  await waitFor(() => startTimeOf(pid) !== undefined, { what: 'it runs' })
  await recovering().recovery.recover()
  expect(startTimeOf(pid)).toBeUndefined()
})

test('what lives, or is another installation’s, is left alone', async () => {
  await taken(alive)
  const others = dead.replace(INSTANCE, 'elsewhere')
  const pids = [run(alive), run(others)]
  const { recovery, told } = recovering()
  await recovery.recover()
  expect(pids.map(pid => startTimeOf(pid) !== undefined)).toEqual([true, true])
  expect(told).toEqual([])
  expect(await bench.queues.counts(Q)).toMatchObject({ waiting: 0, active: 1 })
})

test('a task that took three workers down fails for good: row, outbox, answer', async () => {
  await taken(dead)
  await bench.redis.hset(`{taskd}:${Q}:task-1`, 'ats', '3')
  const { recovery, told } = recovering()
  await recovery.recover()
  expect(told).toMatchObject([{ deaths: 3, outcome: 'buried' }])
  const [entry] = await bench.redis.xrange(OUTBOX, '-', '+')
  expect(JSON.parse(entry?.[1][1] ?? '')).toMatchObject({
    unique_task_id: 'task-1',
    attempt: 3,
    kind: 'lost',
    worker_id: 'w1',
  })
  expect(await bench.queues.state(Q, 'task-1')).toBe('failed')
  expect(await bench.redis.llen('answers')).toBe(1)
})

test('passes at once do each task once', async () => {
  await taken(dead)
  await taken(dead, 'task-2')
  const { recovery, told } = recovering()
  await Promise.all([recovery.recover(), recovery.recover(), recovery.recover()])
  expect(told.map(one => one.taskId).toSorted()).toEqual(['task-1', 'task-2'])
  expect(await bench.queues.counts(Q)).toMatchObject({ waiting: 2, active: 0 })
})

describe('a verdict that a dead worker has left on disk', () => {
  const files = () => readdirSync(folder.path)
  const said = (code: string) => `{"code":"${code}","msg":"m","data":[1]}`

  async function kept(stdout: string, changes: Partial<Verdict> = {}) {
    const task = aTask({ id: 'task-1', taskKey: Q, replyTo: 'answers', job: 'pay' })
    const result = judge({ exitCode: 0, signal: null, stdout, output: stdout })
    const which = { workerId: 'w1', node: 'node', attempt: 1, startedAt: 1000, endedAt: 2000 }
    const verdict = { task, result, ...which, final: true, ...changes }
    const run = {
      unique_task_id: 'task-1',
      job: 'pay',
      task_key: Q,
      attempt: 1,
      worker_id: 'w1',
      node: 'node',
      startedAt: 1000,
      endedAt: 2000,
      outcome: result.outcome,
      kind: result.kind,
      code: result.answer.code,
      msg: '',
      exit_code: 0,
      signal: '',
      peak_memory: null,
      output: stdout,
    }
    const keeper = new VerdictKeeper({
      folder: folder.path,
      owner: dead,
      redis: { status: 'reconnecting' },
      clock: realClock,
      onRefused: error => {
        throw new Error(error)
      },
    })
    keeper.hold('task-1', () => ({ verdict, run }))
    await waitFor(() => files().some(name => name.endsWith('.json')), { what: 'it is on disk' })
  }

  const outbox = async () =>
    (await bench.redis.xrange(OUTBOX, '-', '+')).map(
      ([, fields]) => JSON.parse(fields[1] ?? '') as Record<string, unknown>,
    )

  test('is told to the queue, and the task does not run again', async () => {
    await taken(dead)
    await kept(said('succ'))
    const { recovery, told } = recovering()
    await recovery.recover()
    expect(await bench.queues.find([Q], 'task-1')).toMatchObject({
      state: 'completed',
      attempts: 1,
      answer: { code: 'succ', msg: 'm', data: [1] },
    })
    expect(told).toMatchObject([{ taskId: 'task-1', outcome: 'told' }])
    expect(await bench.redis.lrange('answers', 0, -1)).toHaveLength(1)
    expect(await bench.redis.xlen(jobRuns('pay'))).toBe(1)
    expect(files()).toEqual([])
  })

  test('of a failure that is to be retried leaves its row and its retry', async () => {
    await bench.queues.add(Q, [
      aTask({ id: 'task-1', taskKey: Q, retries: 1, retryIntervalsMs: [60_000] }),
    ])
    const ended = new Promise<void>(resolve => ends.push(resolve))
    const { claims } = await bench.consume({ owner: dead, handle: () => ended.then(() => DONE) })
    await waitFor(() => claims.length === 1, { what: 'it is taken' })
    await kept(said('fail'), { final: false })
    await recovering().recovery.recover()
    const found = await bench.queues.find([Q], 'task-1')
    expect(found).toMatchObject({ state: 'delayed', attempts: 1, failure: { kind: 'answer' } })
    expect((found?.dueAt ?? 0) - Date.now()).toBeGreaterThan(30_000)
    expect(await outbox()).toMatchObject([{ unique_task_id: 'task-1', attempt: 1, kind: 'answer' }])
    expect(files()).toEqual([])
  })

  test('is told for a queue that is no more', async () => {
    await taken(dead)
    await kept(said('succ'))
    const { recovery } = recovering({ taskKeys: ['async_tasks'] })
    await recovery.recover()
    expect(await bench.queues.state(Q, 'task-1')).toBe('completed')
    expect(files()).toEqual([])
  })

  test('is recorded when Redis has lost the task', async () => {
    await kept(said('fail'))
    await recovering().recovery.recover()
    expect(await outbox()).toMatchObject([{ unique_task_id: 'task-1', code: 'fail', msg: 'm' }])
    expect(await bench.redis.lrange('answers', 0, -1)).toHaveLength(1)
    expect(files()).toEqual([])
  })

  test('of another attempt settles nothing: the task goes back, its failure is recorded', async () => {
    await taken(dead)
    await kept(said('fail'), { attempt: 7 })
    const { recovery, told } = recovering()
    await recovery.recover()
    expect(told).toMatchObject([{ outcome: 'given back' }])
    expect(await bench.queues.counts(Q)).toMatchObject({ waiting: 1, active: 0 })
    expect(await outbox()).toMatchObject([{ unique_task_id: 'task-1', attempt: 7 }])
    expect(files()).toEqual([])
  })
})
