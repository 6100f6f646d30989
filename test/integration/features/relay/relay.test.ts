import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Relays } from '../../../../src/features/relay/relays.ts'
import { relayRoutes } from '../../../../src/features/relay/routes.ts'
import type { RelaySpec } from '../../../../src/model/channel.ts'
import { type FakeClock, fakeClock } from '../../../support/fake-clock.ts'
import { recordedLog } from '../../../support/logs.ts'
import { startRedis, type TestServer } from '../../../support/servers.ts'
import { waitFor } from '../../../support/wait.ts'
import { codeOf, openDoor } from '../../api/open-door.ts'

let server: TestServer
let other: Redis
let time: FakeClock
beforeAll(async () => {
  server = await startRedis()
  other = new Redis(server.path)
})
afterAll(async () => {
  other.disconnect()
  await server.remove()
})
beforeEach(async () => {
  time = fakeClock()
  await other.flushall()
})

const opened: Relays[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map(one => one.configure([])))
})

async function open(changes: Partial<RelaySpec> = {}, clock = time.clock) {
  const spec: RelaySpec = {
    name: 'qk',
    redis: server.url,
    list: 'todo',
    take: 'left',
    results: 'back',
    max: 500,
    leaseMs: 60_000,
    legacyPaths: [],
    ...changes,
  }
  const { log } = recordedLog()
  const relays = new Relays({ clock, log })
  opened.push(relays)
  await relays.configure([spec])
  return relays
}

const done = (relays: Relays, ids: readonly string[], results: readonly unknown[] = []) =>
  relays.push('qk', { done: ids, results })
const texts = (tasks: readonly object[]) => tasks.map(one => ('task' in one ? one.task : one))
const ids = (tasks: readonly { readonly id: string }[]) => tasks.map(one => one.id)
const keys = async () => (await other.keys('*')).toSorted()

test('tasks are taken from the left as many as asked, and are gone once they are done', async () => {
  const relays = await open()
  await other.rpush('todo', '1', '2', '3', '4')
  const first = await relays.take('qk', 3)
  expect(texts(first)).toEqual(['1', '2', '3'])
  expect(texts(await relays.take('qk', undefined))).toEqual(['4'])
  expect(await relays.take('qk', undefined)).toEqual([])
  expect(await relays.statuses()).toMatchObject([{ ok: true, backlog: 0, leased: 4, list: 'todo' }])
  const receipt = await done(relays, ids(first), ['text', { any: ['json'] }, 5, null])
  expect(receipt).toEqual({ pushed: 4, done: 3, unknown: [] })
  expect(await other.lrange('back', 0, -1)).toEqual(['text', '{"any":["json"]}', '5', 'null'])
  expect(await relays.statuses()).toMatchObject([{ leased: 1 }])
})

test('or from the right', async () => {
  const relays = await open({ take: 'right' })
  await other.lpush('todo', '1', '2', '3')
  expect(texts(await relays.take('qk', 2))).toEqual(['1', '2'])
  await time.advance(60_001)
  expect(texts(await relays.take('qk', 5))).toEqual(['1', '2', '3'])
})

test('who vanishes with tasks loses nothing: after the lease they are in front again, in order', async () => {
  const relays = await open()
  await other.rpush('todo', '1', '2', '3', '4')
  const taken = await relays.take('qk', 3)
  await time.advance(59_000)
  expect(texts(await relays.take('qk', 1))).toEqual(['4'])
  await time.advance(2000)
  await other.rpush('todo', '5')
  expect(texts(await relays.take('qk', 9))).toEqual(['1', '2', '3', '5'])
  // Who comes too late is told, and takes nothing from who has them now.
  expect(await done(relays, ids(taken))).toEqual({ pushed: 0, done: 0, unknown: ids(taken) })
  expect(await relays.statuses()).toMatchObject([{ leased: 5 }])
})

test('leases that are over go back though nobody asks, for those who take from the list itself', async () => {
  const relays = await open()
  await other.rpush('todo', '1')
  await relays.take('qk', 1)
  await time.advance(59_000)
  expect(await other.llen('todo')).toBe(0)
  const isBack = async () => {
    await time.advance(1000)
    return (await other.llen('todo')) === 1
  }
  await waitFor(isBack, { what: 'it is back' })
  expect(await keys()).toEqual(['todo'])
})

test('bytes that are no text come as base64, and go back as they were', async () => {
  const relays = await open()
  const bytes = Buffer.from([0xff, 0, 0xd6, 0xd0])
  await other.rpush('todo', bytes, '中', '')
  const tasks = await relays.take('qk', 3)
  expect(tasks).toMatchObject([
    { task_base64: bytes.toString('base64') },
    { task: '中' },
    { task: '' },
  ])
  await time.advance(60_001)
  await relays.take('qk', 1)
  expect(await other.lrange('todo', 0, -1)).toEqual(['中', ''])
})

test('an answer has eight megabytes and not much more', async () => {
  const relays = await open()
  const task = 'x'.repeat(1 << 20)
  await other.rpush('todo', ...Array.from({ length: 12 }, () => task))
  expect(await relays.take('qk', 12)).toHaveLength(9)
  expect(await other.llen('todo')).toBe(3)
})

test('two who take at once never get the same task, and together all of them', async () => {
  const [a, b] = [await open(), await open()]
  const all = Array.from({ length: 1000 }, (_, n) => `${n}`)
  await other.rpush('todo', ...all)
  const takes = Array.from({ length: 40 }, (_, n) => (n % 2 ? a : b).take('qk', 25))
  const taken = (await Promise.all(takes)).flat()
  expect(new Set(ids(taken)).size).toBe(1000)
  expect(
    texts(taken)
      .map(Number)
      .toSorted((x, y) => x - y),
  ).toEqual(all.map(Number))
})

test('a report that is sent again counts once when it has a name', async () => {
  const relays = await open()
  await other.rpush('todo', '1')
  const report = { done: ids(await relays.take('qk', 1)), results: ['r'], batchId: 'b/1' }
  expect(await relays.push('qk', report)).toEqual({ pushed: 1, done: 1, unknown: [] })
  expect(await relays.push('qk', report)).toEqual({
    pushed: 0,
    done: 0,
    unknown: [],
    duplicate: true,
  })
  expect(await other.lrange('back', 0, -1)).toEqual(['r'])
  const [mark] = (await keys()).filter(key => key.endsWith(':report:b/1'))
  expect(await other.pttl(mark ?? '')).toBeGreaterThan(86_000_000)
})

test('results and done take effect together or not at all', async () => {
  const relays = await open()
  await other.rpush('todo', '1')
  await other.set('back', 'no list')
  const tasks = await relays.take('qk', 1)
  await expect(done(relays, ids(tasks), ['r'])).rejects.toMatchObject({ code: 'E_RELAY' })
  expect(await relays.statuses()).toMatchObject([
    { ok: false, error: expect.stringContaining('WRONGTYPE') },
  ])
  await other.del('back')
  expect(await done(relays, ids(tasks), ['r'])).toMatchObject({ pushed: 1, done: 1 })
  expect(await relays.statuses()).toMatchObject([{ ok: true, leased: 0 }])
})

test('our keys lie in the slot of the list', async () => {
  for (const list of ['todo', 'a{tag}b']) {
    const relays = await open({ list })
    await other.rpush(list, '1')
    await relays.take('qk', 1)
    const own = (await keys()).filter(key => key.startsWith('Task:Relay:'))
    expect(own).toHaveLength(2)
    for (const key of own) expect(slotOf(key)).toBe(slotOf(list))
    await other.flushall()
  }
})

/** CRC-16/XMODEM of the hash tag, as a cluster counts. */
function slotOf(key: string): number {
  let crc = 0
  for (const byte of Buffer.from(/\{([^}]+)\}/.exec(key)?.[1] ?? key)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1)
      crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff
  }
  return crc % 16_384
}

test('over HTTP: tasks, results, and every mistake by its name', async () => {
  const relays = await open({ max: 5 })
  const door = await openDoor({
    modules: [relayRoutes(relays)],
    secrets: { pull: 'pull', push: 'push' },
  })
  const headers = { secret: 'pull', 'content-type': 'application/json' }
  const get = (path: string) => door.ask(`/api/relay/${path}`, { headers })
  const post = (body: unknown) =>
    door.ask('/api/relay/qk', { method: 'POST', headers, body: JSON.stringify(body) })
  await other.rpush('todo', 'a', 'b')
  const taken = await get('qk?count=1')
  expect(taken.json()).toEqual({ tasks: [{ id: expect.any(String), task: 'a' }] })
  const [task] = taken.json()['tasks'] as { id: string }[]
  const pushed = await post({ results: ['r'], done: [task?.id] })
  expect([pushed.status, pushed.json()]).toEqual([200, { pushed: 1, done: 1, unknown: [] }])
  for (const [path, status, code] of [
    ['none', 404, 'E_NO_RELAY'],
    ['qk?count=6', 400, 'E_BAD_REQUEST'],
    ['qk?count=0', 400, 'E_BAD_REQUEST'],
    ['qk?cuont=1', 400, 'E_BAD_REQUEST'],
  ] as const) {
    const answer = await get(path)
    expect([path, answer.status, codeOf(answer)]).toEqual([path, status, code])
  }
  expect((await post({ results: 'x' })).status).toBe(400)
  expect((await door.ask('/api/relay/qk', { headers: { secret: 'push' } })).status).toBe(403)
  expect(await other.llen('todo')).toBe(1)
  await door[Symbol.asyncDispose]()
})

test('a relay without a list for results takes none', async () => {
  const spec = {
    name: 'qk',
    redis: server.url,
    list: 'todo',
    take: 'left',
    max: 5,
    leaseMs: 1000,
    legacyPaths: [],
  } as const
  const relays = new Relays({ clock: time.clock, log: recordedLog().log })
  opened.push(relays)
  await relays.configure([spec])
  await expect(done(relays, [], ['r'])).rejects.toMatchObject({ code: 'E_BAD_REQUEST' })
  expect(await done(relays, ['x'])).toEqual({ pushed: 0, done: 0, unknown: ['x'] })
})

test('while the other Redis hangs or is away it is said within a second, and it goes on by itself', async () => {
  await using own = await startRedis({ args: ['--appendonly', 'yes'] })
  const { realClock } = await import('../../../../src/lib/clock.ts')
  const relays = await open({ redis: own.url }, realClock)
  const asked = async () => {
    const begin = performance.now()
    const error: unknown = await relays.take('qk', 1).catch((thrown: unknown) => thrown)
    return { error, ms: performance.now() - begin }
  }
  own.freeze()
  const frozen = await asked()
  expect(frozen.error).toMatchObject({ code: 'E_RELAY_AWAY' })
  expect(frozen.ms).toBeLessThan(1500)
  own.thaw()
  await own.kill()
  const gone = await asked()
  expect(gone.error).toMatchObject({ code: 'E_RELAY_AWAY' })
  expect(gone.ms).toBeLessThan(1500)
  const begin = performance.now()
  expect(await relays.statuses()).toMatchObject([{ ok: false, backlog: null, leased: null }])
  expect(performance.now() - begin).toBeLessThan(200)
  await waitFor(async () => (await relays.statuses())[0]?.error === 'no connection', {
    what: 'it is said in the words of people',
  })
  await own.restart()
  await waitFor(async () => (await relays.take('qk', 1)).length === 0, { what: 'it answers' })
  expect(await relays.statuses()).toMatchObject([{ ok: true, error: '' }])
})
