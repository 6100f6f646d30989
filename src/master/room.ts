import type { Clock } from '../lib/clock.ts'
import { TaskdError } from '../lib/errors.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { Task } from '../model/task.ts'
import type { TaskQueues } from '../queue/task-queues.ts'

/** How long a look at a queue's length is trusted, while there is plenty of room. */
const TRUSTED_MS = 1000
const PLENTY = 10_000

/** Those that are due and those that are not each have the whole capacity. */
export type WaitsFor = 'waiting' | 'delayed'

export function waitsFor({ startAt }: Pick<Task, 'startAt'>, now: number): WaitsFor {
  return startAt !== undefined && startAt > now ? 'delayed' : 'waiting'
}

/** Whether queues take more, without a look at each task. */
export class Room {
  readonly #queues: TaskQueues
  readonly #clock: Clock
  readonly #seen = new Map<string, { at: number; waiting: number; delayed: number }>()

  constructor(queues: TaskQueues, clock: Clock) {
    this.#queues = queues
    this.#clock = clock
  }

  /** Takes the place of one task. @throws TaskdError E_FULL */
  async take({ taskKey, capacity }: QueueSpec, task: Pick<Task, 'startAt'>): Promise<void> {
    const now = this.#clock.monotonic()
    const kind = waitsFor(task, this.#clock.now())
    let seen = this.#seen.get(taskKey)
    if (!seen || seen[kind] < PLENTY || now - seen.at > TRUSTED_MS) {
      const { waiting, delayed } = await this.#queues.counts(taskKey)
      seen = { at: now, waiting: capacity - waiting, delayed: capacity - delayed }
      this.#seen.set(taskKey, seen)
    }
    if (seen[kind] <= 0) throw full(taskKey, capacity, kind)
    seen[kind] -= 1
  }
}

export function full(taskKey: string, capacity: number, kind: WaitsFor = 'waiting'): TaskdError {
  return new TaskdError(
    'E_FULL',
    kind === 'waiting'
      ? `queue ${taskKey} is full: ${capacity} tasks wait`
      : `queue ${taskKey} is full: ${capacity} tasks wait for their start_time`,
    'push again later, or raise capacity in its [queue:] section',
  )
}
