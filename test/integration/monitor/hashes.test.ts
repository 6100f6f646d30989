import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { markStopped, WorkerHashes } from '../../../src/monitor/hashes.ts'
import { createClient } from '../../../src/queue/connection.ts'
import { type Scripts, withScripts } from '../../../src/queue/scripts.ts'
import { aTask } from '../../support/runs.ts'
import { startRedis, type TestServer } from '../../support/servers.ts'

let server: TestServer
let redis: Redis & Scripts
beforeAll(async () => {
  server = await startRedis()
  redis = withScripts(createClient(server.url, 'work', 'test'))
})
beforeEach(() => redis.flushall())
afterAll(async () => {
  redis.disconnect()
  await server.remove()
})

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$/
const NOW = Date.parse('2026-11-21T09:00:00.123Z')
const WORKER = 'node-sync_tasks-1'

const hashes = (mode: 'sync' | 'async' = 'sync') =>
  new WorkerHashes(redis, {
    workerId: WORKER,
    taskKey: 'sync_tasks',
    mode,
    node: 'node',
    pid: 4711,
    restartNum: 2,
    startedAt: NOW,
  })

const task = aTask({
  id: 'order:17',
  taskKey: 'sync_tasks',
  script: '/var/www/index.php',
  controller: 'api/Pay',
  function: 'execute',
  param: 'a=1',
  job: 'pay',
})
const LIST = `Task:List:${WORKER}:order:17`
/** Rows are written without being waited for; on one connection, in order. */
const row = (key: string) => redis.hgetall(key)
const within = async (key: string, least: number, most: number) => {
  const left = await redis.pttl(key)
  expect(left).toBeGreaterThan(least)
  expect(left).toBeLessThanOrEqual(most)
}

describe('the rows of a worker', () => {
  test('Task:Worker has exactly the fields of a sync worker, leased for 30 s', async () => {
    hashes().heartbeat(NOW, { cpu: 12.345, memory: 1000.4 })
    expect(await row(`Task:Worker:${WORKER}`)).toEqual({
      worker_id: WORKER,
      task_key: 'sync_tasks',
      status: 'running',
      running_task: '0',
      restart_num: '2',
      run_time: expect.stringMatching(ISO),
      run_return: '',
      pid: '4711',
      node: 'node',
      cpu: '12.3',
      memory: '1000',
      heartbeat: expect.stringMatching(ISO),
    })
    await within(`Task:Worker:${WORKER}`, 25_000, 30_000)
  })

  test('Task:taskWorker has those of an async one, without run_return', async () => {
    const rows = hashes('async')
    rows.heartbeat(NOW)
    rows.runStarted({ task, attempt: 1, startedAt: NOW, pid: 99 })
    rows.runEnded(task.id, '{"code":"succ"}')
    expect(Object.keys(await row(`Task:taskWorker:${WORKER}`)).toSorted()).toEqual(
      [
        'worker_id task_key status running_task restart_num run_time',
        'pid node cpu memory heartbeat',
      ]
        .join(' ')
        .split(' ')
        .toSorted(),
    )
    expect(await redis.exists(`Task:Worker:${WORKER}`)).toBe(0)
  })

  test('Task:List is there exactly while the task runs', async () => {
    const rows = hashes()
    rows.heartbeat(NOW)
    rows.runStarted({ task, attempt: 2, startedAt: NOW, pid: 99 })
    expect(await row(LIST)).toEqual({
      worker_id: WORKER,
      task_key: 'sync_tasks',
      start_runtime: expect.stringMatching(ISO),
      script: '/var/www/index.php',
      controller: 'api/Pay',
      function: 'execute',
      param: 'a=1',
      unique_task_id: 'order:17',
      job: 'pay',
      pid: '99',
      attempt: '2',
    })
    expect(Date.parse((await row(LIST))['start_runtime'] ?? '')).toBe(NOW)
    await within(LIST, 25_000, 30_000)
    expect(await redis.hget(`Task:Worker:${WORKER}`, 'running_task')).toBe('1')
    rows.runEnded(task.id, '{"code":"succ"}')
    expect(await redis.exists(LIST)).toBe(0)
    expect(await row(`Task:Worker:${WORKER}`)).toMatchObject({
      running_task: '0',
      run_return: '{"code":"succ"}',
    })
    rows.heartbeat(NOW)
    expect(await redis.exists(LIST)).toBe(0)
    expect(await redis.hget(`Task:Worker:${WORKER}`, 'run_return')).toBe('{"code":"succ"}')
  })

  test('a heartbeat renews every lease and mends what a FLUSHALL took', async () => {
    const rows = hashes()
    rows.heartbeat(NOW, { cpu: 1, memory: 2 })
    rows.runStarted({ task, attempt: 1, startedAt: NOW, pid: 99 })
    await redis.pexpire(LIST, 100)
    await redis.flushall()
    rows.heartbeat(NOW + 10_000)
    expect(await row(LIST)).toMatchObject({ pid: '99', unique_task_id: 'order:17' })
    await within(LIST, 25_000, 30_000)
    expect(await row(`Task:Worker:${WORKER}`)).toMatchObject({ cpu: '1.0', running_task: '1' })
  })

  test('what is written after a FLUSHALL is leased too: no row stays for ever', async () => {
    const rows = hashes()
    rows.runStarted({ task, attempt: 1, startedAt: NOW, pid: 99 })
    await redis.flushall()
    rows.runEnded(task.id, undefined)
    expect(await redis.hget(`Task:Worker:${WORKER}`, 'running_task')).toBe('0')
    await within(`Task:Worker:${WORKER}`, 25_000, 30_000)
  })

  test('a worker that stops in order leaves its row for a day, and no late heartbeat undoes it', async () => {
    const rows = hashes()
    rows.heartbeat(NOW, { cpu: 50, memory: 1000 })
    await rows.stopped(NOW)
    rows.heartbeat(NOW, { cpu: 50, memory: 1000 })
    expect(await row(`Task:Worker:${WORKER}`)).toMatchObject({
      status: 'stop',
      running_task: '0',
      cpu: '0',
      memory: '0',
    })
    await within(`Task:Worker:${WORKER}`, 86_000_000, 86_400_000)
  })

  test('one that could not say so is marked by others, if its row is there at all', async () => {
    await markStopped(redis, 'sync', WORKER)
    expect(await redis.exists(`Task:Worker:${WORKER}`)).toBe(0)
    hashes().heartbeat(NOW)
    await markStopped(redis, 'sync', WORKER)
    expect(await row(`Task:Worker:${WORKER}`)).toMatchObject({ status: 'stop', running_task: '0' })
    await within(`Task:Worker:${WORKER}`, 86_000_000, 86_400_000)
  })
})
