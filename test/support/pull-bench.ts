import type { Redis } from 'ioredis'
import type { DeadTask, PullTask } from '../../src/model/pull.ts'
import type { QueueSpec } from '../../src/model/queue-spec.ts'
import { createClient, type FailFast, type Purpose } from '../../src/queue/connection.ts'
import { PullQueue } from '../../src/queue/pull-queue.ts'
import { type Scripts, withScripts } from '../../src/queue/scripts.ts'
import { aQueue } from './queue-bench.ts'
import { startRedis, type TestServer } from './servers.ts'

export interface PullBench {
  readonly server: TestServer
  readonly redis: FailFast & Scripts
  /** Wall time, ms; the test moves it. */
  now: number
  connect(purpose?: Purpose): Promise<Redis & Scripts>
  /** The queue `far`, as a node of its own when it has a connection of its own. */
  queue(changes?: Partial<QueueSpec>, redis?: Redis & Scripts): PullQueue
  /** Empties Redis and puts the time back. */
  reset(): Promise<void>
  remove(): Promise<void>
}

export const LEASE_MS = 60_000
const START = Date.parse('2026-11-21T09:00:00.000Z')

/** A real Redis with pull queues on it. */
export async function pullBench(args: readonly string[] = []): Promise<PullBench> {
  const server = await startRedis({ args })
  const clients: Redis[] = []
  const connect = async (purpose: Purpose = 'ask') => {
    const client = withScripts(createClient(server.url, purpose, 'test'))
    clients.push(client)
    await client.connect()
    return client
  }
  const redis = withScripts(createClient(server.url, 'ask', 'test'))
  clients.push(redis)
  await redis.connect()
  const bench: PullBench = {
    server,
    redis,
    now: START,
    connect,
    queue: (changes = {}, client = redis) =>
      new PullQueue({
        redis: client,
        spec: aQueue({ taskKey: 'far', mode: 'pull', workers: 0, leaseMs: LEASE_MS, ...changes }),
        now: () => bench.now,
      }),
    async reset() {
      bench.now = START
      await redis.flushall()
    },
    async remove() {
      for (const client of clients) client.disconnect()
      await server.remove()
    },
  }
  return bench
}

export const aTask = (id: string, rest: object = {}): PullTask => ({
  id,
  content: JSON.stringify({ task_id: id, ...rest }),
})

export const someTasks = (count: number, name = 't'): PullTask[] =>
  Array.from({ length: count }, (_, n) => aTask(`${name}${n}`))

export const idsOf = (items: readonly { readonly id: string }[]) => items.map(({ id }) => id)

/** All that waits to be handed over. */
export async function deathsIn(queue: PullQueue): Promise<DeadTask[]> {
  const deaths: DeadTask[] = []
  await queue.handOverDead(async batch => void deaths.push(...batch))
  return deaths
}
