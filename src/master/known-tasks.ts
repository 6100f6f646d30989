import type { Config } from '../config/config.ts'
import type { LiveConfig } from '../config/live.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { FailFast } from '../queue/connection.ts'
import type { PullFeed } from '../queue/pull-feed.ts'
import type { TaskQueues } from '../queue/task-queues.ts'

export interface KnownTasksDeps {
  readonly config: LiveConfig
  readonly queues: FailFast<TaskQueues>
  readonly feed: FailFast<PullFeed>
}

/** Ids that are asked about in one go. */
const BATCH = 500

export function specOfQueue(config: Config, taskKey: string): QueueSpec | undefined {
  return config.queues.find(queue => queue.taskKey === taskKey)
}

/** Which of these tasks their queue remembers, whatever has become of them. */
export async function knownTasks(
  { config, queues, feed }: KnownTasksDeps,
  taskKey: string,
  ids: readonly string[],
): Promise<boolean[]> {
  const isPull = specOfQueue(config.current, taskKey)?.mode === 'pull'
  const known: boolean[] = []
  for (let from = 0; from < ids.length; from += BATCH) {
    const some = ids.slice(from, from + BATCH)
    if (isPull) known.push(...(await feed.places(taskKey, some)).map(place => place !== 'unknown'))
    else known.push(...(await queues.known(taskKey, some)))
  }
  return known
}
