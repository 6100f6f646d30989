import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import { DataMark } from '../../../src/master/data-mark.ts'
import { type DaemonEvent, Events } from '../../../src/model/events.ts'
import { createClient } from '../../../src/queue/connection.ts'
import { CronStore } from '../../../src/queue/cron-store.ts'
import { cronState, DATA_MARK } from '../../../src/queue/keys.ts'
import { withScripts } from '../../../src/queue/scripts.ts'
import { TaskQueues } from '../../../src/queue/task-queues.ts'
import { recordedLog } from '../../support/logs.ts'
import { startRedis, type TempDir, type TestServer, tempDir } from '../../support/servers.ts'
import { waitFor } from '../../support/wait.ts'

let server: TestServer
let redis: Redis
const nodes: { readonly mark: DataMark; end(): Promise<void> }[] = []
let folder: TempDir
beforeAll(async () => {
  server = await startRedis()
  redis = createClient(server.url, 'work', 'test')
})
afterAll(async () => {
  redis.disconnect()
  await server.remove()
})
beforeEach(async () => {
  folder = tempDir('taskd-mark-')
  await redis.flushall()
})
afterEach(async () => {
  for (const one of nodes.splice(0)) await one.end()
  await folder.remove()
})

/** A node with a job and a queue; `dir` is its data_dir. */
async function node(dir = folder.path) {
  const client = withScripts(createClient(server.url, 'ask', 'node'))
  await client.connect()
  const queues = new TaskQueues(
    client,
    () => Date.now(),
    () => 86_400_000,
  )
  const cron = new CronStore(client)
  const events = new Events()
  const told: DaemonEvent[] = []
  events.subscribe(event => told.push(event))
  const recorded = recordedLog()
  const mark = new DataMark({
    dataDir: dir,
    redis: client,
    queues,
    cron,
    taskKeys: () => ['async_tasks'],
    jobs: () => ['backup'],
    announce: async () => {
      for (const one of nodes) one.mark.noteChange()
    },
    clock: realClock,
    events,
    log: recorded.log,
  })
  const end = async () => {
    await mark.stop()
    await queues.close()
    client.disconnect()
  }
  nodes.push({ mark, end })
  await mark.start()
  const paused = async () => [
    await queues.isPaused('async_tasks'),
    await redis.hget(cronState('backup'), 'paused'),
  ]
  return { mark, queues, cron, store: mark.guard(cron, client), told, recorded, paused, end }
}

test('a new Redis is no loss', async () => {
  const { mark, told } = await node()
  expect([mark.emptied, told]).toEqual([null, []])
})

test('without its data it is told once, and pauses are put back', async () => {
  const { mark, queues, cron, told, recorded, paused } = await node()
  await queues.pause('async_tasks')
  await cron.setPaused('backup', '3 failures in a row')
  await mark.look()
  await redis.flushall()
  await mark.look()
  await mark.look()
  expect(await paused()).toEqual([true, '3 failures in a row'])
  expect(told).toMatchObject([{ type: 'emptied' }])
  expect(mark.emptied).not.toBe(null)
  expect(recorded.lines.filter(line => line.level === 'error')).toHaveLength(1)
})

test('a daemon that starts on an emptied Redis knows it, and what was paused', async () => {
  const first = await node()
  await first.queues.pause('async_tasks')
  await first.mark.look()
  await first.end()
  await redis.flushall()
  const second = await node()
  expect(await second.paused()).toEqual([true, null])
  expect(second.told).toMatchObject([{ type: 'emptied' }])
})

test('a pause that was lifted elsewhere does not come back', async () => {
  const first = await node()
  await first.cron.setPaused('backup', 'paused by hand')
  await first.mark.look()
  await first.end()
  await redis.hset(cronState('backup'), 'paused', '')
  const second = await node()
  expect(await second.paused()).toEqual([false, ''])
  expect(second.told).toEqual([])
})

test('of several nodes one puts back, and what was lifted since stays lifted', async () => {
  await using other = tempDir('taskd-mark-other-')
  const a = await node()
  const b = await node(other.path)
  await a.queues.pause('async_tasks')
  await a.mark.look()
  await b.mark.look()
  await b.end()
  await redis.flushall()
  await a.mark.look()
  await a.queues.resume('async_tasks')
  const again = await node(other.path)
  expect(await again.paused()).toEqual([false, null])
  expect(again.told).toMatchObject([{ type: 'emptied' }])
  expect(await redis.hkeys(DATA_MARK)).toHaveLength(2)
})

const onDisk = (dir: string) => readFileSync(join(dir, 'redis-data.json'), 'utf8')

test('what the schedule reads of an emptied Redis is read again when pauses are back', async () => {
  const { cron, mark, store } = await node()
  await cron.setPaused('backup', 'paused by hand')
  await mark.changed()
  await redis.flushall()
  expect(await store.readMany(['backup'])).toMatchObject([{ paused: 'paused by hand' }])
  await redis.flushall()
  // A node that did not know it has begun anew meanwhile.
  await cron.reset('backup', 1_800_000_000_000, '* * * * *')
  expect(await store.read('backup')).toMatchObject({ paused: 'paused by hand' })
})

test('whoever pauses, all nodes have it on disk at once', async () => {
  await using other = tempDir('taskd-mark-other-')
  const a = await node()
  const b = await node(other.path)
  await a.store.setPaused('backup', 'paused after 3 failures in a row')
  expect(onDisk(folder.path)).toContain('paused after 3 failures')
  await waitFor(() => onDisk(other.path).includes('paused after 3 failures'), {
    timeoutMs: 5000,
    what: 'the other node has it',
  })
  await redis.flushall()
  await b.store.read('backup')
  expect(await b.paused()).toEqual([false, 'paused after 3 failures in a row'])
})

test('what the disk did not take is written with a later look, and told once', async () => {
  const { mark, queues, recorded } = await node()
  const inTheWay = join(folder.path, 'redis-data.json.new')
  mkdirSync(inTheWay)
  await queues.pause('async_tasks')
  for (let looks = 0; looks < 3; looks += 1) await mark.look()
  expect(recorded.lines.filter(line => line.level === 'error')).toHaveLength(1)
  rmdirSync(inTheWay)
  await mark.look()
  expect(onDisk(folder.path)).toContain('"async_tasks"')
})
