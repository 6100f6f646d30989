import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createArchiver } from '../../../src/failures/archiver.ts'
import { failLogOn } from '../../../src/failures/fail-log.ts'
import { RedisOutbox } from '../../../src/failures/outbox.ts'
import { recordFailure } from '../../../src/failures/record.ts'
import { realClock } from '../../../src/lib/clock.ts'
import { createClient } from '../../../src/queue/connection.ts'
import { type Scripts, withScripts } from '../../../src/queue/scripts.ts'
import { openStore } from '../../../src/store/store.ts'
import { failRow } from '../../support/fail-rows.ts'
import { recordedLog } from '../../support/logs.ts'
import { startRedis, type TestServer, tempDir } from '../../support/servers.ts'
import { waitFor } from '../../support/wait.ts'

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

const row = (key: string) => redis.hgetall(key)
const within = async (key: string, least: number, most: number) => {
  const left = await redis.pttl(key)
  expect(left).toBeGreaterThan(least)
  expect(left).toBeLessThanOrEqual(most)
}

describe('a failure', () => {
  const key = 'Task:Fail:host-sync_tasks-1:task-1'

  test('has a hash with exactly its fields, all of them texts, that does not expire', async () => {
    await recordFailure(redis, failRow({ exit_code: null, signal: 'SIGKILL' }))
    expect(await row(key)).toEqual({
      worker_id: 'host-sync_tasks-1',
      task_key: 'sync_tasks',
      start_runtime: '2026-11-21T10:00:00.123+01:00',
      end_runtime: '2026-11-21T10:00:01.456+01:00',
      script: '/var/www/points/index.php',
      controller: 'api/AccumulatePay',
      function: 'execute',
      param: 'a=1&b=2',
      unique_task_id: 'task-1',
      node: 'host',
      job: 'accumulate_pay',
      attempt: '1',
      kind: 'exit',
      code: 'fail',
      msg: 'exit code 1',
      exit_code: '',
      signal: 'SIGKILL',
      output: 'no money left\n',
    })
    expect(await redis.pttl(key)).toBe(-1)
  })

  test('goes to SQL whole, a second attempt on the same worker too, and expires only then', async () => {
    await using folder = tempDir('taskd-hashes-')
    const recorded = recordedLog()
    const store = openStore(`sqlite:${folder.path}/task_schedule.db`, recorded.log)
    const outbox = new RedisOutbox(redis, realClock, () => 3_600_000)
    const first = failRow({ output: 'x'.repeat(60_000), exit_code: null, signal: 'SIGSEGV' })
    const second = failRow({
      attempt: 2,
      msg: 'again',
      start_runtime: '2026-11-21T10:01:00.000+01:00',
    })
    const third = failRow({ attempt: 3, start_runtime: '2026-11-21T10:02:00.000+01:00' })
    await recordFailure(redis, first)
    await recordFailure(redis, second)
    expect(await redis.pttl(key)).toBe(-1)
    const archiver = createArchiver({
      outbox,
      store,
      failLog: store.open(failLogOn),
      clock: realClock,
      random: Math.random,
      log: recorded.log,
    })
    await archiver.start()
    await waitFor(async () => (await outbox.backlog()) === 0, { what: 'both are archived' })
    expect(await store.open(failLogOn).byTaskId('task-1')).toMatchObject([first, second])
    await waitFor(async () => (await redis.pttl(key)) > 0, { what: 'the hash expires' })
    await within(key, 3_500_000, 3_600_000)
    await recordFailure(redis, third)
    outbox.nudge()
    await waitFor(async () => (await store.open(failLogOn).count()) === 3, { what: 'the third' })
    await archiver.stop()
    await store.close()
  })

  test('a hash in which a later attempt waits does not expire with the earlier one', async () => {
    const outbox = new RedisOutbox(redis, realClock, () => 1000)
    await recordFailure(redis, failRow())
    const [entry] = await outbox.read(10)
    await recordFailure(redis, failRow({ attempt: 2 }))
    await outbox.remove([entry?.id ?? ''])
    expect([await redis.pttl(key), await outbox.backlog()]).toEqual([-1, 1])
    const [later] = await outbox.read(10)
    await outbox.remove([later?.id ?? ''])
    await within(key, 0, 1000)
  })
})

test('a failure that Redis refuses to write is an error, so that it is tried again', async () => {
  await redis.set('Task:Fail:host-sync_tasks-1:task-1', 'not a hash')
  await expect(recordFailure(redis, failRow())).rejects.toThrow('WRONGTYPE')
})
