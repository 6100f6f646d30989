import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Broker } from '../../../src/master/broker.ts'
import {
  type BrokerBench,
  type BrokerSetting,
  brokerBench,
  KEEP_MS,
  Q,
  script,
} from '../../support/broker.ts'
import { aQueue, DONE, failed, type QueueBench } from '../../support/queue-bench.ts'
import { waitFor } from '../../support/wait.ts'

let bench: BrokerBench
beforeAll(async () => {
  bench = await brokerBench()
})
afterEach(() => bench.reset())
afterAll(() => bench.remove())
const broker = (setting?: BrokerSetting) => bench.broker(setting)

describe('the result of a task', () => {
  const open = { is_result_exist: false, is_success: false, code: '' }
  const consume = (handle: NonNullable<Parameters<QueueBench['consume']>[0]>['handle']) =>
    bench.consume({ queue: aQueue({ taskKey: Q, mode: 'async' }), ...(handle && { handle }) })
  const until = (of: Broker, uuid: string, state: string) =>
    waitFor(
      async () => {
        const result = await of.result(uuid)
        return result.state === state && result
      },
      { what: `it is ${state}` },
    )

  test('that waits', async () => {
    const { uuid } = await broker().pushScript(script())
    expect(await broker().result(uuid)).toEqual({
      ...open,
      uuid,
      state: 'waiting',
      message: 'waits in async_tasks',
      attempts: 0,
      data: [],
      task_key: Q,
      next_run: '',
    })
  })

  test('whose start_time has not come, with that time; what is past means now', async () => {
    const at = Math.floor(Date.now() / 1000) + 3600
    const { uuid } = await broker().pushScript(script({ start_time: String(at) }))
    const result = await broker().result(uuid)
    expect(result).toMatchObject({ ...open, state: 'delayed', attempts: 0 })
    expect(Date.parse(result.next_run)).toBe(at * 1000)
    const past = await broker().pushScript(script({ start_time: at - 7200 }))
    expect(await broker().result(past.uuid)).toMatchObject({ state: 'waiting' })
  })

  test('that runs', async () => {
    let finish = () => {}
    const gate = new Promise<void>(resolve => {
      finish = resolve
    })
    const { uuid } = await broker().pushScript(script())
    await consume(() => gate.then(() => DONE))
    expect(await until(broker(), uuid, 'running')).toMatchObject({
      ...open,
      attempts: 1,
      message: 'runs now (attempt 1)',
    })
    finish()
    await until(broker(), uuid, 'done')
  })

  test('that has failed and is tried again, with why and when', async () => {
    const { uuid } = await broker().pushScript(script({ time_interval: '600 60' }))
    await consume(() => failed(true, 'no luck'))
    const result = await until(broker(), uuid, 'retrying')
    expect(result).toMatchObject({ ...open, code: 'fail', attempts: 1 })
    expect(result.message).toMatch(/^attempt 1 failed: no luck\. the next waits until 20\d\d-/)
    const wait = Date.parse(result.next_run) - Date.now()
    expect(wait).toBeGreaterThan(590_000)
    expect(wait).toBeLessThan(600_001)
  })

  test('that is done, with its answer', async () => {
    const { uuid } = await broker().pushScript(script())
    await consume(() => ({
      type: 'done',
      answer: { code: 'succ', msg: '57', data: { a: 1 } },
    }))
    expect(await until(broker(), uuid, 'done')).toEqual({
      uuid,
      is_result_exist: true,
      is_success: true,
      state: 'done',
      message: '57',
      attempts: 1,
      code: 'succ',
      data: { a: 1 },
      task_key: Q,
      next_run: '',
    })
  })

  test('that has failed for good, and one that was cancelled as it ran', async () => {
    const { uuid } = await broker().pushScript(script())
    const { consumer } = await consume(() => failed(false, 'broken'))
    const end = { is_result_exist: true, is_success: false, code: 'fail', attempts: 1 }
    expect(await until(broker(), uuid, 'failed')).toMatchObject({ ...end, message: 'broken' })
    await consumer.stop()
    const other = await broker().pushScript(script())
    await consume(() => ({
      type: 'failed',
      retry: false,
      kind: 'cancelled',
      answer: { code: 'fail', msg: 'cancelled by hand', data: [] },
    }))
    expect(await until(broker(), other.uuid, 'cancelled')).toMatchObject({
      ...end,
      message: 'cancelled by hand',
    })
  })

  test('that was cancelled before it began', async () => {
    const { uuid } = await broker().pushScript(script())
    await bench.queues.remove(Q, uuid)
    const answer = { code: 'fail', msg: 'cancelled by hand', data: [] }
    await bench.queues.noteRemoved({ id: uuid, task_key: Q, attempts: 0, answer }, KEEP_MS)
    expect(await broker().result(uuid)).toMatchObject({
      is_result_exist: true,
      is_success: false,
      state: 'cancelled',
      message: 'cancelled by hand',
      attempts: 0,
    })
    expect(await bench.redis.pttl(`Task:Removed:${uuid}`)).toBeGreaterThan(KEEP_MS - 60_000)
  })

  test('of a queue that was made before kinds were noted', async () => {
    const { uuid } = await broker().pushScript(script())
    await consume(() => failed(false, 'broken'))
    await until(broker(), uuid, 'failed')
    await bench.redis.hset(`{taskd}:${Q}:${uuid}`, 'failedReason', '{"code":"x","msg":"old"}')
    expect(await broker().result(uuid)).toMatchObject({
      state: 'failed',
      code: 'x',
      message: 'old',
    })
    await bench.redis.hset(`{taskd}:${Q}:${uuid}`, 'failedReason', 'not JSON')
    expect(await broker().result(uuid)).toMatchObject({ state: 'failed', message: 'not JSON' })
  })

  test('that is no longer kept, and one that never was', async () => {
    const { uuid } = await broker().pushScript(script())
    await bench.redis.flushall()
    expect(await broker().result(uuid)).toMatchObject({ ...open, state: 'unknown' })
    expect(await broker({ aheadMs: KEEP_MS + 1000 }).result(uuid)).toMatchObject({
      ...open,
      state: 'expired',
      message: 'the result of this task is no longer kept',
    })
    for (const odd of ['x', '7'.repeat(300), 'a:b', '~%', 'é/..', '\u0000'])
      expect(await broker().result(odd)).toMatchObject({ ...open, uuid: odd, state: 'unknown' })
  })
})
