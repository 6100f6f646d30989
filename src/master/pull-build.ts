import type { LiveConfig } from '../config/live.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { Events } from '../model/events.ts'
import { type FailFast, over } from '../queue/connection.ts'
import { PullFeed } from '../queue/pull-feed.ts'
import type { Scripts } from '../queue/scripts.ts'
import type { TaskQueues } from '../queue/task-queues.ts'
import { PullControl } from './pull-control.ts'
import { PullKeeper } from './pull-keeper.ts'
import { PullQueues } from './pull-queues.ts'
import { PullTasks } from './pull-tasks.ts'

export interface PullParts {
  readonly config: LiveConfig
  readonly ask: FailFast & Scripts
  readonly queues: FailFast<TaskQueues>
  readonly clock: Clock
  readonly log: Logger
  /** The outbox has got something. */
  readonly onRecorded: () => void
  readonly events: Events
  /** Redis has not been there since the start. */
  readonly isWaiting: () => boolean
}

/** All that has to do with pull queues, but what brings tasks into them (see engine.ts). */
export function buildPull(parts: PullParts) {
  const { config, ask: redis, queues, clock, log, onRecorded, events, isWaiting } = parts
  const now = () => clock.now()
  const pullQueues = new PullQueues({ config, redis, now })
  const keeper = new PullKeeper({ config, pullQueues, redis, clock, log, onRecorded, events })
  return {
    keeper,
    control: new PullControl({
      pullQueues,
      isPaused: taskKey => queues.isPaused(taskKey),
      onFinished: (taskKey, ids) => keeper.noteFinished(taskKey, ids),
      onDead: () => keeper.nudge(),
      isWaiting,
      now: () => clock.monotonic(),
    }),
    tasks: new PullTasks({ pullQueues, feed: over(redis, one => new PullFeed(one, now)), clock }),
  }
}
