import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createClient, type FailFast } from '../../../src/queue/connection.ts'
import { CronStore, readSigns, recordVerdict } from '../../../src/queue/cron-store.ts'
import { cronState } from '../../../src/queue/keys.ts'
import { type Scripts, withScripts } from '../../../src/queue/scripts.ts'
import { startRedis, type TestServer } from '../../support/servers.ts'

let server: TestServer
let redis: FailFast & Scripts
beforeAll(async () => {
  server = await startRedis()
  redis = withScripts(createClient(server.url, 'ask', 'test'))
  await redis.connect()
})
beforeEach(() => redis.flushall())
afterAll(async () => {
  redis.disconnect()
  await server.remove()
})

const NOW = Date.parse('2026-11-21T09:00:00.123Z')

test('what is known of jobs is read for all at once, also of those that nobody knows', async () => {
  await redis.hset(cronState('good'), { last_id: 'cron-good-1', paused: 'by root' })
  await recordVerdict(redis, 'good', { id: 'a', code: 'succ', succeeded: true, at: 1000 })
  await recordVerdict(redis, 'bad', { id: 'b', code: 'stale', succeeded: false, at: 2000 })
  expect(await readSigns(redis, ['good', 'none', 'bad'])).toEqual([
    { end: 1000, succeeded: true, lastId: 'cron-good-1', paused: 'by root' },
    { end: undefined, succeeded: false, lastId: '', paused: '' },
    { end: 2000, succeeded: false, lastId: '', paused: '' },
  ])
})

describe('what a job learns', () => {
  test('of its runs: failures in a row until one succeeds, whichever run it is', async () => {
    const store = new CronStore(redis)
    const verdict = { id: 'a', code: 'fail', succeeded: false, at: NOW }
    await recordVerdict(redis, 'pay', verdict)
    await recordVerdict(redis, 'pay', { ...verdict, id: 'b', code: 'later' })
    expect(await store.read('pay')).toMatchObject({ failures: 2 })
    await recordVerdict(redis, 'pay', { id: 'c', code: 'succ', succeeded: true, at: NOW })
    expect(await store.read('pay')).toMatchObject({ failures: 0 })
  })

  test('of a run that the schedule ended: neither a failure nor a success', async () => {
    const store = new CronStore(redis)
    await redis.hset(cronState('pay'), { last_id: 'b', failures: '2' })
    await recordVerdict(redis, 'pay', { id: 'b', code: 'fail', succeeded: undefined, at: NOW })
    expect(await store.read('pay')).toMatchObject({ failures: 2, lastCode: 'fail' })
    expect(await redis.hexists(cronState('pay'), 'last_end')).toBe(0)
  })

  test('a verdict stands beside its own run, and beside no other', async () => {
    const store = new CronStore(redis)
    const verdict = (id: string, code: string) => ({ id, code, succeeded: true, at: NOW })
    await store.advance('pay', 1000, 'first', 0, 0)
    await recordVerdict(redis, 'pay', verdict('first', 'succ'))
    expect(await store.read('pay')).toMatchObject({ lastId: 'first', lastCode: 'succ' })
    await store.noteRun('pay', 'by-hand', 1500)
    await store.advance('pay', 2000, 'second', 0, 0)
    expect(await store.read('pay')).toMatchObject({ lastId: 'second', lastCode: '' })
    await recordVerdict(redis, 'pay', verdict('by-hand', 'other'))
    await recordVerdict(redis, 'pay', verdict('first', 'late'))
    expect(await store.read('pay')).toMatchObject({ lastCode: '', runCode: 'other' })
    // It ended before the tick was noted.
    await recordVerdict(redis, 'pay', verdict('third', 'quick'))
    await store.advance('pay', 3000, 'third', 0, 0)
    expect(await store.read('pay')).toMatchObject({ lastId: 'third', lastCode: 'quick' })
    // A node that comes late to that tick changes nothing.
    await store.advance('pay', 3000, 'third', 0, 0)
    expect(await store.read('pay')).toMatchObject({ lastCode: 'quick' })
  })

  test('when the clock was set back: ticks that come again move the pass, until the cursor', async () => {
    const store = new CronStore(redis)
    const pass = { from: 4000, to: 9000, spec: 's', anchor: 4000 }
    await store.reset('pay', 8000, 's')
    await store.advance('pay', 9000, 'old', 0, 0)
    const seen = await store.read('pay')
    expect(await store.beginPass('pay', seen, pass)).toBe(true)
    expect(await store.beginPass('pay', seen, { ...pass, from: 1 })).toBe(false)
    expect(await store.read('pay')).toMatchObject({ cursor: 9000, again: 4000, pass: 1 })
    expect(await store.advance('pay', 5000, 'new', 0, 2)).toBe(false)
    expect(await store.advance('pay', 5000, 'new', 0, 1)).toBe(true)
    expect(await store.advance('pay', 5000, 'new', 0, 1)).toBe(false)
    expect(await store.read('pay')).toMatchObject({ cursor: 9000, again: 5000, lastId: 'new' })
    expect(await store.advance('pay', 10_000, 'after', 0, 0)).toBe(true)
    const after = { cursor: 10_000, again: undefined, pass: 1, anchor: 4000, lastId: 'after' }
    expect(await store.read('pay')).toMatchObject(after)
    await store.reset('pay', 20_000, 'other')
    expect(await store.read('pay')).toMatchObject({ anchor: undefined, pass: 1 })
  })

  test('a verdict that Redis refuses to write is an error, so that it is tried again', async () => {
    await redis.set('Task:Cron:pay', 'not a hash')
    const verdict = { id: 'a', code: 'fail', succeeded: false, at: NOW }
    await expect(recordVerdict(redis, 'pay', verdict)).rejects.toThrow('WRONGTYPE')
  })
})
