import type { LiveConfig } from '../config/live.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { Events } from '../model/events.ts'
import type { Job } from '../model/job.ts'
import type { RedisHealthStatus } from '../monitor/redis-health.ts'
import type { FailFast } from '../queue/connection.ts'
import type { Scripts } from '../queue/scripts.ts'
import type { TaskQueues } from '../queue/task-queues.ts'

/** What the daemon lends to its features. */
export interface FeatureContext {
  readonly config: LiveConfig
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly log: Logger
  readonly events: Events
  readonly redis: FailFast & Scripts
  readonly queues: FailFast<TaskQueues>
  /** All that have a schedule, wherever they are written. */
  readonly jobs: () => readonly Job[]
  readonly engine: EnginePort
  readonly health: () => Pick<RedisHealthStatus, 'ok' | 'answers' | 'error'>
  readonly database: () => { readonly ok: boolean; readonly error: string }
  /** Aborted when the daemon begins to stop. */
  readonly stopping: AbortSignal
}

/** What moves tasks on this node, as far as features need to know it. */
export interface EnginePort {
  /** The name of this node, as others know it. */
  readonly node: string
  /** It waits for the first answer of Redis. */
  readonly isWaiting: boolean
  /** A worker of this node, by its id. */
  member(workerId: string): { readonly spec: { readonly taskKey: string } } | undefined
}
