import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { RedisOutbox } from '../../../src/failures/outbox.ts'
import { recordFailure } from '../../../src/failures/record.ts'
import { realClock } from '../../../src/lib/clock.ts'
import { createClient } from '../../../src/queue/connection.ts'
import { badList, OUTBOX } from '../../../src/queue/keys.ts'
import { type Scripts, withScripts } from '../../../src/queue/scripts.ts'
import { failRow, failRows } from '../../support/fail-rows.ts'
import { startRedis, type TestServer } from '../../support/servers.ts'

let server: TestServer
let redis: Redis & Scripts
let outbox: RedisOutbox
beforeAll(async () => {
  server = await startRedis()
  redis = withScripts(createClient(server.url, 'work', 'test'))
})
beforeEach(async () => {
  await redis.flushall()
  outbox = new RedisOutbox(redis, realClock, () => 1000)
})
afterAll(async () => {
  redis.disconnect()
  await server.remove()
})

const never = new AbortController().signal

describe('the outbox in Redis', () => {
  test('hands out the oldest rows, whole, and keeps them until they are removed', async () => {
    const rows = failRows(5, 1, { output: '字\n\0', exit_code: null })
    for (const row of rows) await recordFailure(redis, row)
    const first = await outbox.read(3)
    expect(first.map(entry => entry.row)).toEqual(rows.slice(0, 3))
    expect(await outbox.read(3)).toEqual(first)
    await outbox.remove(first.map(entry => entry.id))
    expect((await outbox.read(10)).map(entry => entry.row)).toEqual(rows.slice(3))
    expect(await outbox.backlog()).toBe(2)
  })

  test('removing twice, nothing, or what never was there is harmless', async () => {
    await recordFailure(redis, failRow())
    const [entry] = await outbox.read(1)
    const id = entry?.id ?? ''
    await outbox.remove([id, '1-1'])
    await outbox.remove([id])
    await outbox.remove([])
    expect(await outbox.backlog()).toBe(0)
  })

  test('what is no row is set aside and stands in nobody’s way', async () => {
    await redis.xadd(OUTBOX, '*', 'row', '{"half":', 'key', 'k')
    await redis.xadd(OUTBOX, '*', 'something', 'else')
    await recordFailure(redis, failRow())
    expect((await outbox.read(10)).map(entry => entry.row)).toEqual([failRow()])
    expect(await outbox.backlog()).toBe(1)
    const aside = await redis.lrange(badList(OUTBOX), 0, -1)
    expect(aside.map(one => (JSON.parse(one) as { message: string[] }).message)).toEqual([
      ['something', 'else'],
      ['row', '{"half":', 'key', 'k'],
    ])
  })

  test('waiting ends when there is something, when it is told, when time is over, and when asked', async () => {
    const from = performance.now()
    await outbox.waitForMore(50, never)
    expect(performance.now() - from).toBeGreaterThan(45)
    const told = outbox.waitForMore(60_000, never)
    const adding = recordFailure(redis, failRow()).then(() => outbox.nudge())
    await Promise.all([told, adding])
    await outbox.waitForMore(60_000, never)
    await redis.flushall()
    const stop = new AbortController()
    const asked = outbox.waitForMore(60_000, stop.signal)
    stop.abort()
    await asked
    await outbox.waitForMore(60_000, stop.signal)
    expect(performance.now() - from).toBeLessThan(10_000)
  })

  test('another node’s row is noticed without being told', async () => {
    const waiting = outbox.waitForMore(60_000, never)
    await recordFailure(redis, failRow())
    await waiting
    expect(await outbox.backlog()).toBe(1)
  })
})
