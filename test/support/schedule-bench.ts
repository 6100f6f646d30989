import type { Redis } from 'ioredis'
import type { ScheduleControl } from '../../src/api/schedule-port.ts'
import type { Config } from '../../src/config/config.ts'
import { LiveConfig } from '../../src/config/live.ts'
import { scheduleControl } from '../../src/master/schedule-control.ts'
import type { Job } from '../../src/model/job.ts'
import { createClient, over } from '../../src/queue/connection.ts'
import { CronStore } from '../../src/queue/cron-store.ts'
import { PullFeed } from '../../src/queue/pull-feed.ts'
import { type Scripts, withScripts } from '../../src/queue/scripts.ts'
import { TaskQueues } from '../../src/queue/task-queues.ts'
import { fakeClock } from './fake-clock.ts'
import { far } from './pull-master.ts'
import { aQueue } from './queue-bench.ts'
import { startRedis, type TestServer } from './servers.ts'

export const NOW = Date.parse('2026-11-21T09:00:00.000Z')

export interface ScheduleBench {
  readonly server: TestServer
  readonly control: ScheduleControl
  readonly redis: Redis & Scripts
  readonly queues: TaskQueues
  readonly cron: CronStore
  /** The test changes it. */
  readonly jobs: Job[]
  readonly queueSpecs: ReturnType<typeof aQueue>[]
  /** Jobs whose cursor all nodes were told to read anew. */
  readonly reread: string[]
  reset(): Promise<void>
  remove(): Promise<void>
}

/** What a daemon answers about ticks that lie behind, on a real Redis. */
export async function scheduleBench(): Promise<ScheduleBench> {
  const server = await startRedis()
  const redis = withScripts(createClient(server.url, 'ask', 'test'))
  await redis.connect()
  const { clock } = fakeClock(NOW)
  const queues = over(redis, client => {
    const now = () => clock.now()
    return new TaskQueues(client, now, () => 86_400_000)
  })
  const cron = new CronStore(redis)
  const jobs: Job[] = []
  const queueSpecs = [aQueue(), far()]
  const reread: string[] = []
  return {
    server,
    redis,
    queues,
    cron,
    jobs,
    queueSpecs,
    reread,
    control: scheduleControl({
      config: new LiveConfig({ queues: queueSpecs, jobs } as unknown as Config),
      jobs: () => jobs,
      findJob: async name => jobs.find(one => one.name === name),
      queues,
      cron,
      feed: over(redis, client => new PullFeed(client, () => clock.now())),
      clock,
      stopping: new AbortController().signal,
      orderReread: async job => void reread.push(job),
    }),
    async reset() {
      await redis.flushall()
      jobs.length = 0
      reread.length = 0
      queueSpecs.splice(0, queueSpecs.length, aQueue(), far())
    },
    async remove() {
      await queues.close()
      redis.disconnect()
      await server.remove()
    },
  }
}
