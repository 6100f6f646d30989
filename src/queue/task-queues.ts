import type { Redis } from 'ioredis'
import { readAnswer } from '../model/answer.ts'
import type { Answer } from '../model/run-result.ts'
import type { Task } from '../model/task.ts'
import { countBad, isWrongType } from './bad-list.ts'
import { type Job, Queue } from './bullmq.ts'
import { dueOfScore, ENGINE_PREFIX, engineKeys, jobFields } from './engine-keys.ts'
import { forgetOverAge } from './forget.ts'
import { toJobId } from './job-id.ts'
import { removedTask } from './keys.ts'
import { parseMessage } from './message.ts'
import { retryFailed } from './retry-failed.ts'
import { writeAnyway } from './scripts.ts'
import { fromStoredAnswer, type StoredAnswer } from './stored-answer.ts'

import { fromStored, type StoredTask, toStored } from './stored-task.ts'

export interface QueueCounts {
  readonly waiting: number
  readonly delayed: number
  readonly active: number
  readonly bad: number
  readonly paused: boolean
}

/** Where a task is. */
export type TaskState = 'waiting' | 'delayed' | 'active' | 'completed' | 'failed' | 'unknown'

/** How far a task is. */
export type Progress =
  | { readonly state: 'waiting' | 'unknown' }
  /** `since`: wall time, ms */
  | { readonly state: 'running'; readonly since: number | undefined }
  | { readonly state: 'ended'; readonly code: string }

export interface FoundTask {
  readonly task: Task
  readonly state: TaskState
  /** Runs it has had. */
  readonly attempts: number
  /** The answer, once there is one. */
  readonly answer?: Answer
  /** What its last run failed with, when it has had one that failed. */
  readonly failure?: FailedAnswer
  /** Of a delayed one, when it is due, wall time in ms. */
  readonly dueAt?: number
}

/** How much later another node may add the same tick. */
const MOMENTS_MS = 30_000
/** Longer than any message stays in a private list while a node takes tasks in. */
const MESSAGE_MS = 7 * 86_400_000

export interface FailedAnswer extends Answer {
  /** '' where it was not noted. */
  readonly kind: string
}

/** A task that was cancelled before it began: its queue knows nothing of it any more. */
export interface RemovedTask {
  readonly id: string
  readonly task_key: string
  readonly attempts: number
  readonly answer: Answer
}

export interface AddOptions {
  /** Runs in earlier lives of these ids. */
  readonly earlierAttempts?: number
  /** The ids of the messages that the tasks came from: each becomes a task once. */
  readonly messages?: readonly string[]
  /** The ids were made just now, so none of them is known. */
  readonly made?: boolean
}

/** The producing and asking side of every queue: BullMQ's Queue behind a small interface. */
export class TaskQueues {
  readonly #redis: Redis
  readonly #now: () => number
  readonly #keepMs: () => number
  readonly #queues = new Map<string, Queue<StoredTask, StoredAnswer>>()

  /**
   * @param now wall time, ms
   * @param keepMs how long a task that has ended is remembered
   */
  constructor(redis: Redis, now: () => number, keepMs: () => number) {
    this.#redis = redis
    this.#now = now
    this.#keepMs = keepMs
  }

  #queue(taskKey: string): Queue<StoredTask, StoredAnswer> {
    let queue = this.#queues.get(taskKey)
    if (!queue) {
      queue = new Queue(taskKey, { connection: this.#redis, prefix: ENGINE_PREFIX })
      queue.on('error', () => undefined)
      this.#queues.set(taskKey, queue)
      // A queue object that is made while Redis goes away would report that for ever.
      const made = queue
      made.waitUntilReady().catch(() => {
        if (this.#queues.get(taskKey) === made) this.#queues.delete(taskKey)
        made.close().catch(() => undefined)
      })
    }
    return queue
  }

  /** Adds tasks of one queue. An id that it remembers stays as it is: repeating is harmless. */
  async add(
    taskKey: string,
    tasks: readonly Task[],
    { earlierAttempts = 0, messages = [], made = false }: AddOptions = {},
  ): Promise<void> {
    if (tasks.length === 0) return
    const now = this.#now()
    const stored = tasks.map((task, n) =>
      toStored(task, now, { earlierAttempts, taken: messages[n] }),
    )
    const queue = this.#queue(taskKey)
    // A message without an id has lent its own to its task.
    const given = tasks.flatMap(({ id }, n) => (made || id === messages[n] ? [] : [id]))
    await this.#forget(taskKey, given)
    const [first] = stored
    // One alone needs no transaction around it, and making that costs as much as the task.
    if (first && stored.length === 1) await queue.add(first.name, first.data, first.opts)
    else await queue.addBulk(stored)
  }

  /**
   * As `add`, for tasks that were accepted and are in Redis already. One by one, because a full Redis
   * refuses every transaction. The client must be one of `addsAnyway`.
   */
  async addAnyway(
    taskKey: string,
    tasks: readonly Task[],
    messages: readonly string[],
  ): Promise<void> {
    for (const [n, task] of tasks.entries())
      await this.add(taskKey, [task], { messages: messages.slice(n, n + 1) })
  }

  /** Which of these messages are tasks already. */
  async knownMessages(taskKey: string, messages: readonly string[]): Promise<boolean[]> {
    const scores = await this.#redis.zmscore(engineKeys(taskKey).taken, ...messages)
    return scores.map(score => score !== null)
  }

  /** These messages are in no list any more and cannot come again. */
  async forgetMessages(taskKey: string, messages: readonly string[]): Promise<void> {
    const { taken } = engineKeys(taskKey)
    if (messages.length > 0) await this.#redis.zrem(taken, ...messages)
    // Marks of a node that could not remove them: it was killed right before, or lost the answer.
    await this.#redis.zremrangebyscore(taken, 0, this.#now() - MESSAGE_MS)
  }

  /**
   * Forgets tasks that are done, the oldest first: failed ones when no others are left. Those of
   * the last moments stay.
   */
  async forgetOldest(taskKey: string, count: number): Promise<number> {
    const queue = this.#queue(taskKey)
    await queue.trimEvents(0)
    const completed = await queue.clean(MOMENTS_MS, count, 'completed')
    if (completed.length > 0) return completed.length
    return (await queue.clean(MOMENTS_MS, count, 'failed')).length
  }

  async counts(taskKey: string): Promise<QueueCounts> {
    const queue = this.#queue(taskKey)
    const [counts, paused, bad] = await Promise.all([
      queue.getJobCounts('wait', 'prioritized', 'delayed', 'active'),
      queue.isPaused(),
      countBad(this.#redis, taskKey),
    ])
    return {
      waiting: (counts['wait'] ?? 0) + (counts['prioritized'] ?? 0),
      delayed: counts['delayed'] ?? 0,
      active: counts['active'] ?? 0,
      paused,
      bad,
    }
  }

  /**
   * Forgets tasks that ended too long ago. The engine itself checks ages only when a task ends, so an
   * idle queue would remember its ids for ever.
   */
  async #forget(taskKey: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await forgetOverAge(this.#redis, taskKey, ids.map(toJobId), this.#now() - this.#keepMs())
  }

  /** Which of these ids the queue remembers: they would not be added again. */
  async known(taskKey: string, ids: readonly string[]): Promise<boolean[]> {
    await this.#forget(taskKey, ids)
    const { job } = engineKeys(taskKey)
    const looks = this.#redis.pipeline()
    for (const id of ids) looks.exists(job(toJobId(id)))
    return ((await looks.exec()) ?? []).map(([error, found]) => {
      if (error) throw error
      return found === 1
    })
  }

  /** Whether one of the messages in the plain list brings this id; the first ten thousand are read. */
  async isListed(taskKey: string, id: string): Promise<boolean> {
    for (let at = 0; at < LISTED_READ; at += LISTED_PART) {
      // A key of another type has no messages.
      const part = await this.#redis
        .lrange(taskKey, -at - LISTED_PART, -at - 1)
        .catch((error: unknown) => {
          if (isWrongType(error)) return []
          throw error
        })
      if (part.some(text => brings(text, id))) return true
      if (part.length < LISTED_PART) return false
    }
    return false
  }

  async state(taskKey: string, id: string): Promise<TaskState> {
    await this.#forget(taskKey, [id])
    const state = await this.#queue(taskKey).getJobState(toJobId(id))
    return state === 'prioritized' || state === 'waiting-children' ? 'waiting' : state
  }

  /** How far a task is, and since when it runs. */
  async progress(taskKey: string, id: string): Promise<Progress> {
    const state = await this.state(taskKey, id)
    switch (state) {
      case 'active': {
        const at = await this.#redis.hget(engineKeys(taskKey).job(toJobId(id)), jobFields.begunAt)
        return { state: 'running', since: Number(at ?? 0) || undefined }
      }
      case 'waiting':
      case 'delayed':
        return { state: 'waiting' }
      case 'unknown': {
        const removed = await this.findRemoved(id)
        return removed ? { state: 'ended', code: removed.answer.code } : { state: 'unknown' }
      }
      case 'completed':
      case 'failed': {
        const job = await this.#job(taskKey, id)
        const answer = job && answerOf(job, state)
        return answer ? { state: 'ended', code: answer.code } : { state: 'unknown' }
      }
    }
  }

  /** Looks for a task in these queues. */
  async find(taskKeys: readonly string[], id: string): Promise<FoundTask | undefined> {
    for (const taskKey of taskKeys) {
      // The state first: a task that ends in between is then not yet final, instead of without answer.
      const state = await this.state(taskKey, id)
      const job = state === 'unknown' ? undefined : await this.#job(taskKey, id)
      if (!job) continue
      const failure = failureOf(job)
      const answer = answerOf(job, state)
      const dueAt = state === 'delayed' ? await this.#dueAt(taskKey, id) : undefined
      return {
        task: fromStored(taskKey, job),
        state,
        attempts: (job.data.earlierAttempts ?? 0) + job.attemptsStarted,
        ...(answer && { answer }),
        ...(failure && { failure }),
        ...(dueAt !== undefined && { dueAt }),
      }
    }
    return undefined
  }

  /** Remembers a task that was taken out of its queue, so that its fate can be asked for. */
  async noteRemoved(removed: RemovedTask, keepMs: number): Promise<void> {
    const key = removedTask(removed.id)
    await writeAnyway(this.#redis, [['SET', key, JSON.stringify(removed), 'PX', keepMs]])
  }

  async findRemoved(id: string): Promise<RemovedTask | undefined> {
    const text = await this.#redis.get(removedTask(id))
    return text === null ? undefined : (JSON.parse(text) as RemovedTask)
  }

  async #dueAt(taskKey: string, id: string): Promise<number | undefined> {
    const score = await this.#redis.zscore(engineKeys(taskKey).delayed, toJobId(id))
    return score === null ? undefined : dueOfScore(score)
  }

  async #job(taskKey: string, id: string): Promise<Job<StoredTask, StoredAnswer> | undefined> {
    return (await this.#queue(taskKey).getJob(toJobId(id))) ?? undefined
  }

  /** Takes a task that is not running out of its queue; false when it is running or gone. */
  async remove(taskKey: string, id: string): Promise<boolean> {
    const state = await this.state(taskKey, id)
    const job = state === 'active' ? undefined : await this.#job(taskKey, id)
    if (!job) return false
    return job.remove().then(
      () => true,
      () => false,
    )
  }

  /** Puts a task that has failed back on its queue, with all its retries; false when it cannot. */
  async retry(taskKey: string, id: string): Promise<boolean> {
    const state = await this.state(taskKey, id)
    const job = state === 'failed' ? await this.#job(taskKey, id) : undefined
    if (!job) return false
    // The engine counts from 0 again; the earlier attempts stay counted in the task.
    const earlierAttempts = (job.data.earlierAttempts ?? 0) + job.attemptsStarted
    const data = JSON.stringify({ ...job.data, earlierAttempts })
    return retryFailed(this.#redis, taskKey, toJobId(id), data)
  }

  isPaused(taskKey: string): Promise<boolean> {
    return this.#queue(taskKey).isPaused()
  }

  async pause(taskKey: string): Promise<void> {
    await this.#queue(taskKey).pause()
  }

  async resume(taskKey: string): Promise<void> {
    await this.#queue(taskKey).resume()
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#queues.values()].map(queue => queue.close()))
    this.#queues.clear()
  }
}

function answerOf(job: Job<StoredTask, StoredAnswer>, state: TaskState): Answer | undefined {
  if (state === 'completed') return fromStoredAnswer(job.returnvalue)
  const failed = state === 'failed' ? failureOf(job) : undefined
  return failed && { code: failed.code, msg: failed.msg, data: failed.data }
}

/** Also for a task that is to be retried; entries of earlier releases have no kind. */
function failureOf(job: Job<StoredTask, StoredAnswer>): FailedAnswer | undefined {
  const { failedReason } = job
  if (!failedReason) return undefined
  const answer = readAnswer(failedReason)
  if (!answer) return { kind: '', code: 'fail', msg: failedReason, data: [] }
  const { kind = '' } = JSON.parse(failedReason) as { readonly kind?: string }
  return { kind, ...answer }
}

/** How much of a plain list is read at once: a message may have a megabyte. */
const LISTED_READ = 10_000
const LISTED_PART = 200

function brings(text: string, id: string): boolean {
  // Most do not, and to parse all of them would take longer than an answer may.
  if (!text.includes(id)) return false
  const message = parseMessage(text)
  if (!message.ok || typeof message.value !== 'object' || message.value === null) return false
  const { unique_task_id: own, task_id: pulled } = message.value as Record<string, unknown>
  return own === id || pulled === id
}
