import type { Parsed } from '../lib/parsed.ts'
import type { PullTask } from '../model/pull.ts'
import { readPullMessage } from '../model/pull-message.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import { parseTask, type Task } from '../model/task.ts'
import { refuseReplyTo } from './keys.ts'
import type { PullFeed } from './pull-feed.ts'
import type { TaskQueues } from './task-queues.ts'

/** A task with the id of the message that it was. */
export interface Taken<T> {
  readonly task: T
  readonly message: string
}

/** Where an intake puts what it has taken from a plain list. */
export interface IntakeSink<T> {
  /** @param message what JSON gave for `text` @param id for a message that brings none */
  read(message: unknown, text: string, id: string): Parsed<T>
  /** May be repeated: each message becomes a task once. */
  add(taken: readonly Taken<T>[]): Promise<void>
  /** The same also when Redis is full. */
  addAnyway(taken: readonly Taken<T>[]): Promise<void>
  /**
   * Those that find no room; never any that were added before.
   * @param most so many that are not due may be there at present, if `capacity` is not less
   */
  excess(taken: readonly Taken<T>[], most: number): Promise<readonly Taken<T>[]>
  /** These have left the private list, and are not added again. */
  dropped(taken: readonly Taken<T>[]): Promise<void>
  /** How many of the queue's capacity are taken. */
  waiting(): Promise<number>
}

/**
 * The engine, whose workers run the tasks.
 * @param now wall time, ms
 * @param anyway the queues over a client that adds also when Redis is full
 * @param taskKeys lists that no reply may be sent to
 */
export function engineSink(
  { taskKey, capacity }: QueueSpec,
  now: () => number,
  queues: TaskQueues,
  anyway: () => TaskQueues,
  taskKeys: () => readonly string[],
): IntakeSink<Task> {
  return {
    read(message, _text, id) {
      const task = parseTask(message, taskKey, id)
      const refused = task.ok ? refuseReplyTo(task.value.replyTo, taskKeys()) : undefined
      return refused === undefined ? task : { ok: false, reason: `"reply_to" ${refused}` }
    },
    add: taken => queues.add(taskKey, tasksOf(taken), { messages: messagesOf(taken) }),
    addAnyway: taken => anyway().addAnyway(taskKey, tasksOf(taken), messagesOf(taken)),
    async excess(taken, most) {
      const delayed = taken.filter(one => (one.task.startAt ?? 0) > now())
      if (delayed.length === 0) return []
      const { delayed: there } = await queues.counts(taskKey)
      const room = Math.max(0, Math.min(capacity, most) - there)
      const beyond = delayed.slice(room)
      if (beyond.length === 0) return []
      const known = await queues.knownMessages(taskKey, messagesOf(beyond))
      return beyond.filter((_, n) => !known[n])
    },
    dropped: taken => queues.forgetMessages(taskKey, messagesOf(taken)),
    async waiting() {
      // Tasks that are not due have a capacity of their own, see `excess`.
      return (await queues.counts(taskKey)).waiting
    },
  }
}

/** A pull queue, whose tasks are claimed over HTTP. */
export function pullSink(spec: QueueSpec, feed: PullFeed): IntakeSink<PullTask> {
  return {
    read: readPullMessage,
    add: taken => feed.addOnce(spec, tasksOf(taken)),
    addAnyway: taken => feed.addOnce(spec, tasksOf(taken), { anyway: true }),
    excess: () => Promise.resolve([]),
    dropped: () => Promise.resolve(),
    waiting: () => feed.waiting(spec.taskKey),
  }
}

const tasksOf = <T>(taken: readonly Taken<T>[]) => taken.map(one => one.task)
const messagesOf = (taken: readonly Taken<unknown>[]) => taken.map(one => one.message)
