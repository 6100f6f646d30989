import { afterEach, expect, test } from 'vitest'
import { type DaemonEvent, Events } from '../../../src/model/events.ts'
import { RedisHealth } from '../../../src/monitor/redis-health.ts'
import type { FailFast } from '../../../src/queue/connection.ts'
import { fakeClock } from '../../support/fake-clock.ts'

const WELL = 'aof_last_write_status:ok\r\nloading:0\r\n'
const running: RedisHealth[] = []
afterEach(async () => {
  for (const health of running.splice(0)) await health.stop()
})

/** A client that answers as the test says. */
async function watched() {
  const time = fakeClock()
  const server = {
    error: undefined as Error | undefined,
    refusal: undefined as Error | undefined,
    persistence: WELL,
    memory: 'used_memory:1000\r\nmaxmemory:0\r\n',
    version: '7.0.15',
    pings: 0,
  }
  const answer = <T>(value: T) => {
    if (server.error) throw server.error
    return value
  }
  const client = {
    connect: async () => undefined,
    ping: async () => {
      server.pings += 1
      return answer('PONG')
    },
    del: async () => {
      if (server.refusal) throw server.refusal
      return answer(0)
    },
    info: async (section: string) =>
      answer(
        section === 'server'
          ? `redis_version:${server.version}\r\n`
          : section === 'memory'
            ? server.memory
            : server.persistence,
      ),
  }
  const events = new Events()
  const told: string[] = []
  events.subscribe((event: DaemonEvent) => {
    if (event.type === 'health') told.push(`${event.part} ${event.ok} ${event.error}`)
  })
  const health = new RedisHealth(client as unknown as FailFast, time.clock, events)
  running.push(health)
  await health.start()
  await time.advance(0)
  return { time, server, health, told }
}

test('a Redis that answers is well, and is told once', async () => {
  const { time, health, told } = await watched()
  await time.advance(10_000)
  expect(health.status).toMatchObject({ ok: true, error: '', version: '7.0.15' })
  expect(told).toEqual(['redis true '])
})

test('away: told once, with the reason and since when; back: noticed at once', async () => {
  const { time, server, health, told } = await watched()
  await time.advance(5000)
  server.error = new Error('connect ECONNREFUSED')
  await time.advance(1000)
  const { since } = health.status
  await time.advance(60_000)
  expect(health.status.ok).toBe(false)
  expect(health.status.error).toContain('ECONNREFUSED')
  expect(health.status.since).toBe(since)
  server.error = undefined
  server.version = '8.0.0'
  await time.advance(100)
  expect(health.status).toMatchObject({ ok: true, version: '8.0.0' })
  expect(told.map(one => one.split(' ')[1])).toEqual(['true', 'false', 'true'])
})

test.each([
  ['aof_last_write_status:err\r\n', 'is the disk full'],
  ['loading:1\r\n', 'is loading'],
])('one that answers but is of no use is away: %j', async (persistence, why) => {
  const { time, server, health } = await watched()
  server.persistence = persistence
  await time.advance(1000)
  expect(health.status.ok).toBe(false)
  expect(health.status.error).toContain(why)
  server.persistence = WELL
  await time.advance(100)
  expect(health.status.ok).toBe(true)
})

test.each([
  ['NOREPLICAS Not enough good replicas to write.', 'takes no writes: it has too few replicas'],
  ["READONLY You can't write against a read only replica.", 'takes no writes: it is a replica'],
])('one that answers and takes no writes is away within a second: %s', async (refusal, why) => {
  const { time, server, health } = await watched()
  server.refusal = new Error(refusal)
  await time.advance(1000)
  expect(health.status).toMatchObject({ ok: false, error: why })
  server.refusal = undefined
  await time.advance(100)
  expect(health.status.ok).toBe(true)
})

test('another reason is shown, but is no other outage', async () => {
  const { time, server, health, told } = await watched()
  server.error = new Error('ECONNREFUSED')
  await time.advance(1000)
  server.error = new Error('ETIMEDOUT')
  await time.advance(1000)
  expect(health.status.error).toContain('ETIMEDOUT')
  expect(told).toHaveLength(2)
})

test('start and stop repeat, and a stopped one asks nothing', async () => {
  const { time, server, health } = await watched()
  await health.start()
  await health.stop()
  await health.stop()
  const { pings } = server
  await time.advance(60_000)
  expect(server.pings).toBe(pings)
})

test('full from the first refusal until a tenth is free, also over an outage', async () => {
  const { time, server, health, told } = await watched()
  const uses = async (used: number) => {
    server.memory = `used_memory:${used}\r\nmaxmemory:1000\r\nmaxmemory_policy:noeviction\r\n`
    await time.advance(1000)
    const { ok, answers, full } = health.status
    return { ok, answers, full }
  }
  const well = { ok: true, answers: true, full: false }
  const full = { ok: false, answers: true, full: true }
  expect(await uses(990)).toEqual(well)
  expect(await uses(1000)).toEqual(full)
  expect(health.status.error).toMatch(/^FULL: .* used \(maxmemory\)/)
  expect(await uses(950)).toEqual(full)
  server.error = new Error('Command timed out')
  expect(await uses(950)).toEqual({ ok: false, answers: false, full: false })
  server.error = undefined
  expect(await uses(950)).toEqual(full)
  expect(await uses(890)).toEqual(well)
  expect(told.map(line => line.split(' ')[1])).toEqual(['true', 'false', 'false', 'false', 'true'])
})
