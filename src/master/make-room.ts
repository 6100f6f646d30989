import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
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

/** As often as the health check knows more. */
const LOOK_MS = 1000
/** Tasks of a queue that are forgotten at a time. */
const PART = 1000
/** So full Redis may stay. */
const ENOUGH = 0.85

/**
 * While Redis is full, forgets tasks that are done, the oldest first: their answers are what is
 * needed least there, and without room for what waits nothing would go on. It happens on every
 * node, which does no harm.
 */
export class RoomMaker implements Service {
  readonly name = 'room in Redis'
  readonly #deps: RoomMakerDeps
  #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(deps: RoomMakerDeps) {
    this.#deps = deps
  }

  start(): Promise<void> {
    if (this.#running === undefined) {
      this.#stopping = new AbortController()
      this.#running = this.#loop(this.#stopping.signal)
    }
    return Promise.resolve()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#running = undefined
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { clock, health, log } = this.#deps
    let forgotten = 0
    while (!signal.aborted) {
      const { full, memory } = health()
      if (full && memory && memory.used > ENOUGH * memory.max)
        forgotten += await this.#forget().catch((error: unknown) => {
          log.debug({ error: messageOf(error) }, 'room in Redis')
          return 0
        })
      if (!full && forgotten > 0) {
        log.warn(
          { tasks: forgotten },
          'Redis was full: the answers of tasks that are done were forgotten',
        )
        forgotten = 0
      }
      await clock.sleep(LOOK_MS, signal)
    }
  }

  async #forget(): Promise<number> {
    const { queues, taskKeys } = this.#deps
    const counts = await Promise.all(taskKeys().map(key => queues.forgetOldest(key, PART)))
    return counts.reduce((sum, count) => sum + count, 0)
  }
}
