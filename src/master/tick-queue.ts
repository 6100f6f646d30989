import type { LiveConfig } from '../config/live.ts'
import { toPullTask } from '../model/pull-message.ts'
import type { PullFeed } from '../queue/pull-feed.ts'
import type { TaskQueues } from '../queue/task-queues.ts'
import type { TickQueue } from '../schedule/ports.ts'

export interface TickQueueDeps {
  readonly config: LiveConfig
  readonly queues: TaskQueues
  readonly pull: PullFeed
  readonly cancel: (taskKey: string, id: string, reason: string) => Promise<unknown>
}

/** Puts due tasks on their queues: into the engine, or into a pull queue. */
export function tickQueue({ config, queues, pull, cancel }: TickQueueDeps): TickQueue {
  const pullQueue = (taskKey: string) =>
    config.current.queues.find(queue => queue.taskKey === taskKey && queue.mode === 'pull')
  return {
    async add(taskKey, tasks) {
      const spec = pullQueue(taskKey)
      if (spec) await pull.addOnce(spec, tasks.map(toPullTask))
      else await queues.add(taskKey, tasks)
    },
    async isOpen(taskKey, id) {
      if (pullQueue(taskKey)) return pull.isOpen(taskKey, id)
      const state = await queues.state(taskKey, id)
      return state === 'waiting' || state === 'delayed' || state === 'active'
    },
    async cancel(taskKey, id, reason) {
      await cancel(taskKey, id, reason)
    },
  }
}
