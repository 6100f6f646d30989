import type { Clock } from '../lib/clock.ts'
import { TaskdError } from '../lib/errors.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { TaskQueues } from '../queue/task-queues.ts'

/** How long a look at a queue's length is trusted, while there is plenty of room. */
const TRUSTED_MS = 1000
const PLENTY = 10_000

/** Whether queues take more, without a look at each task. */
export class Room {
  readonly #queues: TaskQueues
  readonly #clock: Clock
  readonly #seen = new Map<string, { at: number; room: number }>()

  constructor(queues: TaskQueues, clock: Clock) {
    this.#queues = queues
    this.#clock = clock
  }

  /** Takes the place of one task. @throws TaskdError E_FULL */
  async take({ taskKey, capacity }: QueueSpec): Promise<void> {
    const now = this.#clock.monotonic()
    let seen = this.#seen.get(taskKey)
    if (!seen || seen.room < PLENTY || now - seen.at > TRUSTED_MS) {
      const counts = await this.#queues.counts(taskKey)
      seen = { at: now, room: capacity - counts.waiting - counts.delayed }
      this.#seen.set(taskKey, seen)
    }
    if (seen.room <= 0) throw full(taskKey, capacity)
    seen.room -= 1
  }
}

export function full(taskKey: string, capacity: number): TaskdError {
  return new TaskdError(
    'E_FULL',
    `queue ${taskKey} is full: ${capacity} tasks wait`,
    'push again later, or raise capacity in its [queue:] section',
  )
}
