import type { LiveConfig } from '../config/live.ts'
import { TaskdError } from '../lib/errors.ts'
import { unknownName } from '../lib/suggest.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { FailFast } from '../queue/connection.ts'
import { PullQueue } from '../queue/pull-queue.ts'
import type { Scripts } from '../queue/scripts.ts'

export interface PullQueuesDeps {
  readonly config: LiveConfig
  readonly redis: FailFast & Scripts
  /** Wall time, ms. */
  readonly now: () => number
}

/** The pull queues as they are configured now. */
export class PullQueues {
  readonly #deps: PullQueuesDeps

  constructor(deps: PullQueuesDeps) {
    this.#deps = deps
  }

  get specs(): readonly QueueSpec[] {
    return this.#deps.config.current.queues.filter(queue => queue.mode === 'pull')
  }

  /** @throws TaskdError E_NO_QUEUE */
  get(taskKey: string): PullQueue {
    return this.of(this.spec(taskKey))
  }

  /** It keeps no state, so there may be any number for one queue. */
  of(spec: QueueSpec): PullQueue {
    const { redis, now } = this.#deps
    return new PullQueue({ redis, spec, now })
  }

  /** @throws TaskdError E_NO_QUEUE */
  spec(taskKey: string): QueueSpec {
    const found = this.#deps.config.current.queues.find(queue => queue.taskKey === taskKey)
    if (found?.mode === 'pull') return found
    if (found)
      throw new TaskdError(
        'E_NO_QUEUE',
        `queue ${taskKey} is no pull queue: its tasks are run by workers (mode = ${found.mode})`,
        'name a [queue:] section with mode = pull',
      )
    const names = this.specs.map(spec => spec.taskKey)
    const otherwise =
      names.length === 0
        ? 'add [queue:NAME] with mode = pull to the configuration'
        : `there are: ${names.slice(0, 10).join(', ')}`
    throw unknownName('E_NO_QUEUE', `no pull queue named ${taskKey}`, taskKey, names, otherwise)
  }
}
