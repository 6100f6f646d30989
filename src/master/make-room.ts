import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { Loop } from '../lib/loop.ts'
import type { Service } from '../lib/service.ts'
import type { RedisHealthStatus } from '../monitor/redis-health.ts'
import type { TaskQueues } from '../queue/task-queues.ts'

export interface RoomMakerDeps {
  readonly health: () => Pick<RedisHealthStatus, 'full' | 'memory'>
  readonly queues: Pick<TaskQueues, 'forgetOldest'>
  readonly taskKeys: () => readonly string[]
  readonly clock: Clock
  readonly log: Logger
}

/** As often as the health check looks. */
const LOOK_MS = 1000
/** Tasks of a queue that are forgotten at a time. */
const PART = 1000
/** The share of its memory that Redis may keep. */
const ENOUGH = 0.85

/**
 * While Redis is full, forgets tasks that are done, the oldest first: their answers are
 * needed least, and without room the waiting tasks could not go on. Every node does it, which does
 * no harm.
 */
export class RoomMaker implements Service {
  readonly name = 'room in Redis'
  readonly #deps: RoomMakerDeps
  readonly #loop: Loop
  #forgotten = 0

  constructor(deps: RoomMakerDeps) {
    this.#deps = deps
    this.#loop = new Loop({ clock: deps.clock, round: () => this.#look() })
  }

  start(): Promise<void> {
    this.#loop.start()
    return Promise.resolve()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #look(): Promise<number> {
    const { health, log } = this.#deps
    const { full, memory } = health()
    if (full && memory && memory.used > ENOUGH * memory.max)
      this.#forgotten += await this.#forget().catch((error: unknown) => {
        log.debug({ error: messageOf(error) }, 'room in Redis')
        return 0
      })
    if (!full && this.#forgotten > 0) {
      log.warn(
        { tasks: this.#forgotten },
        'Redis was full: the answers of tasks that are done were forgotten',
      )
      this.#forgotten = 0
    }
    return LOOK_MS
  }

  async #forget(): Promise<number> {
    const { queues, taskKeys } = this.#deps
    const counts = await Promise.all(taskKeys().map(key => queues.forgetOldest(key, PART)))
    return counts.reduce((sum, count) => sum + count, 0)
  }
}
