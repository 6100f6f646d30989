import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../../src/queue/connection.ts'
import { DayCounts, dayOf } from '../../../src/queue/day-counts.ts'
import { dayCounts } from '../../../src/queue/keys.ts'
import { withScripts } from '../../../src/queue/scripts.ts'
import {
  type BrokerBench,
  type BrokerSetting,
  brokerBench,
  Q,
  refusal,
  rpc,
  script,
} from '../../support/broker.ts'
import { aQueue } from '../../support/queue-bench.ts'
import { aTask } from '../../support/runs.ts'
import { waitFor } from '../../support/wait.ts'

let bench: BrokerBench
beforeAll(async () => {
  bench = await brokerBench()
})
afterEach(() => bench.reset())
afterAll(() => bench.remove())
const broker = (setting?: BrokerSetting) => bench.broker(setting)

describe('a task that is handed in', () => {
  test('waits in async_tasks, or in the queue it names', async () => {
    const { uuid } = await broker().pushScript(script({ args: '1 2' }))
    await broker().pushScript(script({}, 'sync_tasks'))
    expect(await bench.queues.find([Q], uuid)).toMatchObject({
      state: 'waiting',
      task: { call: 'bin', script: 'a.sh', param: '1 2' },
    })
    expect((await bench.queues.counts('sync_tasks')).waiting).toBe(1)
  })

  test('comes as a request too', async () => {
    const { uuid } = await broker().pushRpc(rpc({ args: '{"a":1}' }))
    expect(await bench.queues.find([Q], uuid)).toMatchObject({
      task: { call: 'rpc', script: 'http://10.0.0.1/x', function: 'POST', param: '{"a":1}' },
    })
  })

  test('is refused where its queue is not known, or is for agents', async () => {
    expect(await refusal(broker().pushScript(script({}, 'nobody')))).toBe('E_NO_QUEUE')
    expect(await refusal(broker().pushScript(script({}, 'pulled')))).toBe('E_NO_QUEUE')
  })

  test('is refused when its file is not in bin_path', async () => {
    for (const bin_name of ['none.sh', 'out', '../x', '/bin/sh', 'a\nb'])
      expect(await refusal(broker().pushScript(script({ bin_name })))).toBe('E_BAD_TASK')
    expect((await bench.queues.counts(Q)).waiting).toBe(0)
    // Without a bin_path here, only the name can be judged: the nodes that have files do the rest.
    const closed = broker({ binPath: undefined })
    expect(await refusal(closed.pushScript(script({ bin_name: '../x' })))).toBe('E_BAD_TASK')
    await closed.pushScript(script({ bin_name: 'none.sh' }))
    expect((await bench.queues.counts(Q)).waiting).toBe(1)
  })

  test('is refused when it can be seen that rpc_allow does not allow it', async () => {
    for (const url of ['http://127.0.0.1/', 'http://[::1]/', 'http://169.254.169.254/'])
      expect(await refusal(broker().pushRpc(rpc({ url })))).toBe('E_BAD_TASK')
    const strict = broker({ rpcAllow: [{ kind: 'name', name: 'api.example', port: 80 }] })
    expect(await refusal(strict.pushRpc(rpc({ url: 'http://other.example/' })))).toBe('E_BAD_TASK')
    expect(await refusal(strict.pushRpc(rpc({ url: 'http://API.example/' })))).toBe('taken')
  })

  test('is refused when the queue is full, and taken again when there is room', async () => {
    const full = broker({ queues: [aQueue({ taskKey: Q, mode: 'async', capacity: 3 })] })
    for (let count = 0; count < 3; count += 1) await full.pushScript(script())
    expect(await refusal(full.pushScript(script()))).toBe('E_FULL')
    const { claims } = await bench.consume({ queue: aQueue({ taskKey: Q, mode: 'async' }) })
    await waitFor(() => claims.length === 3, { what: 'all have run' })
    expect(await refusal(full.pushScript(script()))).toBe('taken')
  })
})

test('cancelling is for tasks that came in here, not for those of jobs', async () => {
  const task = aTask({ id: 'cron-pay-1', taskKey: Q, job: 'pay' })
  await bench.queues.add(Q, [task])
  for (const uuid of [task.id, 'nobody'])
    expect(await refusal(broker().cancel(uuid))).toBe('E_NO_TASK')
  expect(await bench.queues.state(Q, task.id)).toBe('waiting')
})

describe('counts', () => {
  test('of what waits: of all queues, or of one', async () => {
    const of = broker()
    await of.pushScript(script())
    await of.pushScript(script({ start_time: Math.floor(Date.now() / 1000) + 600 }))
    await of.pushScript(script({}, 'sync_tasks'))
    expect(await of.undone('')).toBe(3)
    expect(await of.undone(Q)).toBe(2)
    expect(await refusal(of.undone('nobody'))).toBe('E_NO_QUEUE')
  })

  test('of a day: by the time zone, for 30 days', async () => {
    const now = Date.parse('2026-11-21T20:30:00Z')
    const aheadMs = now - Date.now()
    const count = (timezone: string, date: string, which: 'success' | 'failure' = 'success') =>
      broker({ aheadMs, timezone }).dayCount(which, date)
    const tokyo = new DayCounts(bench.redis, () => 'Asia/Tokyo')
    for (const succeeded of [true, true, false]) tokyo.add(succeeded, now)
    expect(await count('Asia/Tokyo', '2026-11-22')).toEqual({ date: '2026-11-22', count: 2 })
    expect(await count('Asia/Tokyo', '20261122', 'failure')).toMatchObject({ count: 1 })
    expect(await count('Asia/Tokyo', '2026-11-21')).toMatchObject({ count: 0 })
    expect(await count('UTC', '2026-10-22')).toMatchObject({ count: 0 })
    expect(await refusal(count('UTC', '2026-10-21'))).toBe('E_NO_COUNT')
    const ttl = await bench.redis.pttl(dayCounts('2026-11-22'))
    expect(ttl).toBeGreaterThan(30 * 86_400_000)
  })

  test.each([
    '',
    'today',
    '2026-02-30',
    '2026-13-01',
    '2026-1-1',
    '20260230',
    '../x',
    '2026-11-21T00',
  ])('%j is no date', async date => {
    expect(await refusal(broker().dayCount('success', date))).toBe('E_BAD_DATE')
  })

  test('a day ends at its midnight, wherever', () => {
    const at = (text: string, timezone: string) => dayOf(Date.parse(text), timezone)
    expect(at('2026-11-21T23:59:59.999Z', 'UTC')).toBe('2026-11-21')
    expect(at('2026-11-22T00:00:00.000Z', 'UTC')).toBe('2026-11-22')
    expect(at('2026-11-21T23:00:00.000Z', 'Europe/Berlin')).toBe('2026-11-22')
    expect(at('2026-11-22T04:59:59.999Z', 'America/New_York')).toBe('2026-11-21')
  })
})

test('while Redis is away every question is answered within a second, and says so', async () => {
  const redis = withScripts(createClient('unix:/nonexistent/redis.sock', 'ask', 'test'))
  const away = broker({ redis })
  const began = performance.now()
  const answers = [
    away.pushScript(script()),
    away.pushRpc(rpc()),
    away.result('x'),
    away.undone(''),
    away.dayCount('success', dayOf(Date.now(), 'UTC')),
  ]
  expect(await Promise.all(answers.map(refusal))).toEqual(answers.map(() => 'E_REDIS_AWAY'))
  expect(performance.now() - began).toBeLessThan(1500)
  redis.disconnect()
})
