import type { Redis } from 'ioredis'
import type { LiveConfig } from '../config/live.ts'
import type { Clock } from '../lib/clock.ts'
import type { Events } from '../model/events.ts'
import { RedisHealth } from '../monitor/redis-health.ts'
import { createClient, type FailFast, over } from '../queue/connection.ts'
import { CronStore } from '../queue/cron-store.ts'
import { PullFeed } from '../queue/pull-feed.ts'
import { type Scripts, withScripts } from '../queue/scripts.ts'
import { TaskQueues } from '../queue/task-queues.ts'
import type { ManagedProgram } from '../supervise/managed-program.ts'
import { redisProgram } from './redis-program.ts'

/** How the master reaches Redis. */
export interface Connections {
  /** The Redis that we run ourselves. */
  readonly embedded: ManagedProgram | undefined
  readonly url: string
  /** Waits through an outage. */
  readonly work: Redis & Scripts
  /** Fails rather than waits. */
  readonly ask: FailFast & Scripts
  /** What works over `ask`. */
  readonly asking: {
    readonly queues: FailFast<TaskQueues>
    readonly feed: FailFast<PullFeed>
    readonly cron: FailFast<CronStore>
  }
  readonly health: RedisHealth
  close(): Promise<void>
}

export interface ConnectionsDeps {
  readonly config: LiveConfig
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly events: Events
}

/** Makes the connections; a Redis that is away is connected to when it is back. */
export function connectRedis({ config, clock, random, events }: ConnectionsDeps): Connections {
  const { redis, redisServer = 'redis-server', dataDir } = config.current.settings
  const own =
    redis === 'embedded' ? redisProgram(dataDir, redisServer, { clock, events, random }) : undefined
  const url = own?.url ?? redis
  const work = withScripts(createClient(url, 'work', 'taskd'))
  const ask = withScripts(createClient(url, 'ask', 'taskd ask'))
  const now = () => clock.now()
  const keepMs = () => config.current.settings.resultKeepTimeMs
  const asking = {
    queues: over(ask, client => new TaskQueues(client, now, keepMs)),
    feed: over(ask, client => new PullFeed(client, now)),
    cron: over(ask, client => new CronStore(client)),
  }
  return {
    embedded: own?.program,
    url,
    work,
    ask,
    asking,
    health: new RedisHealth(ask, clock, events),
    async close() {
      await asking.queues.close()
      work.disconnect()
      ask.disconnect()
    },
  }
}
