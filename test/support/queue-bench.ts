import type { Redis } from 'ioredis'
import { type Clock, realClock } from '../../src/lib/clock.ts'
import { currentOwner, formatOwner } from '../../src/model/owner.ts'
import type { QueueSpec } from '../../src/model/queue-spec.ts'
import type { Task } from '../../src/model/task.ts'
import { createClient } from '../../src/queue/connection.ts'
import { type Claim, Consumer, type Settlement } from '../../src/queue/consumer.ts'
import { Intake } from '../../src/queue/intake.ts'
import { engineSink } from '../../src/queue/intake-sink.ts'
import type { Judge } from '../../src/queue/recover.ts'
import { type Scripts, withScripts } from '../../src/queue/scripts.ts'
import { TaskQueues } from '../../src/queue/task-queues.ts'
import { type RecordedLog, recordedLog } from './logs.ts'
import { startRedis, type TestServer } from './servers.ts'

export function aQueue(changes: Partial<QueueSpec> = {}): QueueSpec {
  return {
    taskKey: 'sync_tasks',
    mode: 'sync',
    workers: 1,
    concurrency: 1,
    periodMs: 0,
    capacity: 500_000,
    leaseMs: 86_400_000,
    retries: 3,
    finishKeep: 100_000,
    maxLeases: 0,
    ...changes,
  }
}

/** A worker's owner that cannot be alive: another boot's. */
export const deadOwner = (workerId: string) => `${workerId}@inst.00000000.4194000.1`
export const liveOwner = (workerId: string) => formatOwner(currentOwner(workerId, 'inst'))

/** Takes tasks as a master that recovers does. */
export const judging = (isDead: (owner: string) => boolean): Judge => ({
  isDead,
  signOf: () => '',
  me: liveOwner('node-sync_tasks-0'),
})

export const DONE: Settlement = { type: 'done', answer: { code: 'succ', msg: '', data: [] } }
export const failed = (retry: boolean, msg = 'no'): Settlement => ({
  type: 'failed',
  answer: { code: 'fail', msg, data: [] },
  retry,
})

export interface ConsumerPlan {
  readonly queue?: QueueSpec
  readonly owner?: string
  readonly handle?: (claim: Claim) => Promise<Settlement> | Settlement
  readonly onTaken?: (taskId: string) => void
  /** Another way to the server. */
  readonly url?: string
}

export interface QueueBench {
  readonly server: TestServer
  readonly redis: Redis & Scripts
  readonly queues: TaskQueues
  readonly log: RecordedLog
  connect(): Redis & Scripts
  intake(
    spec?: QueueSpec,
    changes?: {
      node?: string
      clock?: Clock
      queues?: TaskQueues
      leaves?: () => boolean
      isFull?: () => boolean
      connect?: () => Redis & Scripts
    },
  ): Intake<Task>
  /** A started consumer, with the claims it has got. */
  consume(plan?: ConsumerPlan): Promise<{ consumer: Consumer; claims: Claim[] }>
  /** Ends what was started, without waiting for it, and empties Redis. */
  reset(): Promise<void>
  remove(): Promise<void>
}

/** A real Redis with what stands on it; each test begins with an empty one. */
export async function queueBench(): Promise<QueueBench> {
  const server = await startRedis()
  const log = recordedLog()
  const clients: Redis[] = []
  const intakes: Intake<Task>[] = []
  const consumers: Consumer[] = []
  const connect = (url = server.url) => {
    const client = withScripts(createClient(url, 'work', 'test'))
    clients.push(client)
    return client
  }
  const redis = withScripts(createClient(server.url, 'work', 'test'))
  const queues = new TaskQueues(
    redis,
    () => realClock.now(),
    () => 86_400_000,
  )
  const reset = async () => {
    await Promise.all(intakes.splice(0).map(intake => intake.stop()))
    await Promise.all(consumers.splice(0).map(consumer => consumer.stop()))
    for (const client of clients.splice(0)) client.disconnect()
    await redis.flushall()
  }
  return {
    server,
    redis,
    queues,
    log,
    connect,
    intake(spec = aQueue(), { queues: engine = queues, ...changes } = {}) {
      const made = new Intake(spec, {
        isFull: () => false,
        connect,
        redis,
        sink: engineSink(
          spec,
          () => Date.now(),
          engine,
          () => engine,
          () => ['sync_tasks', 'async_tasks'],
        ),
        clock: realClock,
        log: log.log,
        node: 'node',
        ...changes,
      })
      intakes.push(made)
      return made
    },
    async consume({
      queue = aQueue(),
      owner = liveOwner('w1'),
      handle = () => DONE,
      url,
      ...rest
    } = {}) {
      const claims: Claim[] = []
      const consumer = new Consumer({
        redis: connect(url),
        queue,
        owner,
        keepMs: 3_600_000,
        keepCount: 10_000,
        ...rest,
        handle: async claim => {
          claims.push(claim)
          return handle(claim)
        },
        onError: () => undefined,
      })
      consumers.push(consumer)
      await consumer.start()
      return { consumer, claims }
    },
    reset,
    async remove() {
      await reset()
      await queues.close()
      redis.disconnect()
      await server.remove()
    },
  }
}
