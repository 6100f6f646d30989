import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { engineKeys } from '../../../src/queue/engine-keys.ts'
import { toJobId } from '../../../src/queue/job-id.ts'
import { aQueue, DONE, liveOwner, type QueueBench, queueBench } from '../../support/queue-bench.ts'
import { aTask } from '../../support/runs.ts'
import { type TempDir, tempDir } from '../../support/temp-dir.ts'
import { waitFor } from '../../support/wait.ts'

let bench: QueueBench
let folder: TempDir
beforeAll(async () => {
  bench = await queueBench()
  folder = tempDir('taskd-unheard-')
})
afterEach(() => bench.reset())
afterAll(async () => {
  await bench.remove()
  await folder.remove()
})

const Q = 'sync_tasks'
const keys = engineKeys(Q)
/** By age; by name they stand the other way round. */
const IDS = ['order-9', 'order-7', 'order-5', 'order-3', 'order-1']

const add = (ids: readonly string[]) =>
  bench.queues.add(
    Q,
    ids.map(id => aTask({ id, taskKey: Q })),
  )

/**
 * A way to Redis that breaks at the answer that hands out the first of `ids`, once it has come;
 * then, on a new connection, at that for the next.
 */
async function losing(ids: readonly string[]) {
  const left = [...ids]
  const path = join(folder.path, `way-${ids.join('-')}`)
  const server = createServer(near => {
    const far = connect(bench.server.path)
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
    near.on('data', data => far.write(data))
    far.on('data', data => {
      const [lost] = left
      if (lost === undefined || !data.includes(lost)) return void near.write(data)
      left.shift()
      near.destroy()
    })
  })
  await new Promise<void>(resolve => server.listen(path, resolve))
  return { url: `unix:${path}`, left, close: () => server.close() }
}

test.each([
  [['order-9']],
  [['order-9', 'order-7', 'order-5']],
  // These come with the answer to the end of the one before.
  [['order-7']],
  [['order-5', 'order-3']],
])('a sync queue keeps its order when the answers that hand out %j are lost', async lost => {
  const way = await losing(lost)
  const { claims } = await bench.consume({ url: way.url })
  await add(IDS)
  await waitFor(() => claims.length === IDS.length, { what: 'all are taken' })
  expect(way.left).toEqual([])
  expect(claims.map(({ task, attempt, deaths }) => [task.id, attempt, deaths])).toEqual(
    IDS.map(id => [id, 1, 0]),
  )
  way.close()
})

test('with room for several, each whose answer is lost runs once', async () => {
  const ids = Array.from({ length: 60 }, (_none, n) => `many-${n}-`)
  const way = await losing(['many-10-', 'many-20-', 'many-30-', 'many-40-'])
  const { claims } = await bench.consume({
    url: way.url,
    queue: aQueue({ mode: 'async', concurrency: 8 }),
    handle: () => new Promise(resolve => setTimeout(() => resolve(DONE), 5)),
  })
  await add(ids)
  const done = () => bench.redis.zcard(`{taskd}:${Q}:completed`)
  await waitFor(async () => (await done()) === ids.length, { what: 'all are done' })
  expect(way.left).toEqual([])
  expect(claims).toHaveLength(ids.length)
  expect(new Set(claims.map(({ task }) => task.id))).toEqual(new Set(ids))
  expect(claims.every(({ attempt }) => attempt === 1)).toBe(true)
})

test('nothing begins after a new connection before what was handed out unheard', async () => {
  const owner = liveOwner('w1')
  await bench.queues.pause(Q)
  await add(IDS)
  for (const id of IDS.slice(0, 3).map(toJobId)) {
    await bench.redis.zrem(keys.prioritized, id)
    await bench.redis.lpush(keys.active, id)
    await bench.redis.set(keys.lock(id), `${owner}:1`)
    await bench.redis.hincrby(keys.job(id), 'ats', 1)
  }
  const { claims } = await bench.consume({ owner })
  await bench.redis
    .multi()
    .hdel(`{taskd}:${Q}:meta`, 'paused')
    .call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    .exec()
  await waitFor(() => claims.length === IDS.length, { what: 'all are taken' })
  expect(claims.map(({ task, attempt }) => [task.id, attempt])).toEqual(IDS.map(id => [id, 1]))
})
