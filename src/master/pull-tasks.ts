import type { Clock } from '../lib/clock.ts'
import { TaskdError } from '../lib/errors.ts'
import { toPullTask } from '../model/pull-message.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { Answer } from '../model/run-result.ts'
import { DEFAULT_PRIORITY, type Task } from '../model/task.ts'
import type { FailFast } from '../queue/connection.ts'
import type { PullFeed } from '../queue/pull-feed.ts'
import type { PullQueues } from './pull-queues.ts'

export interface PullTasksDeps {
  readonly pullQueues: PullQueues
  readonly feed: FailFast<PullFeed>
  readonly clock: Clock
}

/** How often a task is looked at: agents run it, and report only whether it is done or failed. */
const LOOK_MS = 250

/** What people do with single tasks of pull queues: `taskd push`, `run` and `retry`. */
export class PullTasks {
  readonly #deps: PullTasksDeps

  constructor(deps: PullTasksDeps) {
    this.#deps = deps
  }

  /** The queue of this name, when it is a pull queue. */
  specOf(taskKey: string): QueueSpec | undefined {
    return this.#deps.pullQueues.specs.find(spec => spec.taskKey === taskKey)
  }

  /**
   * The same id twice is one task.
   * @param message what the task was read from, which is handed on as it is
   * @throws TaskdError E_BAD_TASK, E_FULL
   */
  async add(spec: QueueSpec, task: Task, message?: object): Promise<void> {
    const foreign = message && foreignTo(task)
    if (foreign)
      throw new TaskdError(
        'E_BAD_TASK',
        `${foreign} means nothing in the pull queue ${spec.taskKey}`,
        'leave it out: its tasks are claimed in their order, and tried as often as its retries say',
      )
    const { id } = task
    const content = message && JSON.stringify({ ...message, task_id: id })
    await this.#deps.feed.addOnce(spec, [content ? { id, content } : toPullTask(task)])
  }

  /** Adds a task that died so long ago that only fail_log knows it. @throws TaskdError E_NO_TASK */
  async addForgotten(spec: QueueSpec, task: Task): Promise<void> {
    if (task.script === '')
      throw new TaskdError(
        'E_NO_TASK',
        `queue ${spec.taskKey} does not remember what task ${task.id} was`,
        'push it again',
      )
    await this.#deps.feed.addOnce(spec, [toPullTask(task)])
  }

  /**
   * Answers when a task is over, and says no more than whether it succeeded: agents report no
   * answers. @param over aborts when nobody waits any longer
   * @throws TaskdError E_NO_TASK, E_STOPPING
   */
  async answerOf(taskKey: string, id: string, over: AbortSignal): Promise<Answer> {
    while (!over.aborted) {
      const [place] = await this.#deps.feed.places(taskKey, [id])
      if (place === 'finished') return { code: 'succ', msg: '', data: [] }
      if (place === 'dead')
        return { code: 'fail', msg: 'it has failed as often as retries allows', data: [] }
      if (place === 'unknown')
        throw new TaskdError('E_NO_TASK', `queue ${taskKey} does not remember task ${id}`)
      await this.#deps.clock.sleep(LOOK_MS, over)
    }
    throw new TaskdError('E_STOPPING', `taskd stops; task ${id} is kept`)
  }

  /** The queue where a task of this id waits or is claimed. */
  async openIn(id: string): Promise<string | undefined> {
    const { pullQueues, feed } = this.#deps
    for (const { taskKey } of pullQueues.specs) if (await feed.isOpen(taskKey, id)) return taskKey
    return undefined
  }

  /** Queues a dead task again, as it was pushed and with all its tries; false when there is none. */
  async retry(id: string): Promise<boolean> {
    const { pullQueues, feed } = this.#deps
    for (const spec of pullQueues.specs) {
      const [place] = await feed.places(spec.taskKey, [id])
      if (place === 'open')
        throw new TaskdError('E_BAD_STATE', `task ${id} is waiting or claimed, not dead`)
      if (place !== 'dead') continue
      const { accepted } = await pullQueues.of(spec).retryDead([id])
      return accepted > 0
    }
    return false
  }
}

/** What a message asks for that only our own workers can do. */
function foreignTo({ startAt, replyTo, retries, priority }: Task): string | undefined {
  if (startAt !== undefined) return 'start_time'
  if (replyTo !== undefined) return 'reply_to'
  if (retries > 0) return 'time_interval'
  return priority === DEFAULT_PRIORITY ? undefined : 'priority'
}
