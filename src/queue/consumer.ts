import type { Redis } from 'ioredis'
import { realClock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import { stringify } from '../lib/json-text.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { Answer, FailKind } from '../model/run-result.ts'
import type { Task } from '../model/task.ts'
import { answers } from './answers.ts'
import {
  type AdvancedOptions,
  amend,
  type Job,
  setConcurrency,
  UnrecoverableError,
  WaitingError,
  Worker,
} from './bullmq.ts'
import { onConnected, onDisconnected } from './connection.ts'
import { ENGINE_PREFIX } from './engine-keys.ts'
import { giveBack } from './give-back.ts'
import { HeldJobs, LOCK_MS } from './held-jobs.ts'
import { fromJobId, toJobId } from './job-id.ts'
import type { Scripts } from './scripts.ts'
import { type StoredAnswer, toStoredAnswer } from './stored-answer.ts'
import { fromStored, retryDelay, type StoredTask } from './stored-task.ts'
import { returnUnheard } from './unheard.ts'

/** How long a task waits whose run could not be begun or recorded. */
const FAULT_WAIT_MS = 1000
/** How long the engine may take to stop, and then Redis to answer. */
const LEAVE_MS = 1000

/** A task that this worker has taken. */
export interface Claim {
  readonly task: Task
  /** From 1; counts every start, also those that ended with a dead worker. */
  readonly attempt: number
  /** Workers that died with this task since its last verdict. */
  readonly deaths: number
  /** The wait before a retry if this attempt fails, ms; undefined when it would be the last. */
  readonly retryInMs: number | undefined
}

/** What the queue is told of a claim. */
export type Settlement =
  | { readonly type: 'done'; readonly answer: Answer }
  | {
      readonly type: 'failed'
      readonly answer: Answer
      readonly kind?: FailKind | ''
      readonly retry: boolean
    }
  /** Given back, not failed: we ended it ourselves. With `inMs`, nobody gets it before then. */
  | { readonly type: 'returned'; readonly inMs?: number }
  /** Another worker has it by now: the queue is told nothing. */
  | { readonly type: 'taken' }

export interface ConsumerOptions {
  readonly redis: Redis & Scripts
  readonly queue: QueueSpec
  /** Goes into every lock, see model/owner.ts. */
  readonly owner: string
  readonly keepMs: number
  readonly keepCount: number
  handle(claim: Claim): Promise<Settlement>
  /** Whether Redis was last reached so long ago that others may have our tasks. */
  readonly isStale?: () => boolean
  /** Another worker has a task that `handle` is running here: its result here will not count. */
  onTaken?(taskId: string): void
  /** The queue knows how a task that `handle` had has ended, or somebody else has it. */
  onOver?(taskId: string): void
  onError(error: Error): void
}

/** When the engine tries a task again. */
export const RETRYING: AdvancedOptions = {
  backoffStrategy: (made, _type, _error, job) =>
    retryDelay((job?.data as StoredTask | undefined)?.retryIntervalsMs, made),
}

/** An error as the engine wants it; its message is kept with the task. */
export function failure({
  answer,
  kind = '',
  retry,
}: Settlement & { readonly type: 'failed' }): Error {
  const text = stringify({ ...answer, kind })
  return retry ? new Error(text) : new UnrecoverableError(text)
}

/** Takes tasks from one queue and settles them: BullMQ's Worker behind a small interface. */
export class Consumer {
  readonly #worker: Worker<StoredTask, StoredAnswer>
  readonly #options: ConsumerOptions
  readonly #held: HeldJobs
  readonly #begun = new WeakMap<Job, Promise<Settlement>>()
  /** From a loss of Redis until the queue has said which of our tasks are still ours. */
  #doubt: Deferred | undefined
  #looks = 0
  #unwatch = () => {}
  /** From a new connection until the tasks that were handed to us unheard are given back. */
  #looking: Promise<void> | undefined
  /** Pending requests to Redis that may bring a task. */
  readonly #asked = new Set<Promise<unknown>>()
  #lookAgain = false

  constructor(options: ConsumerOptions) {
    const { queue } = options
    const keep = { age: Math.ceil(options.keepMs / 1000), count: options.keepCount }
    this.#options = options
    this.#held = new HeldJobs({
      redis: options.redis,
      taskKey: queue.taskKey,
      owner: options.owner,
      onTaken: id => options.onTaken?.(fromJobId(id)),
      onOver: id => options.onOver?.(fromJobId(id)),
    })
    this.#worker = new Worker<StoredTask, StoredAnswer>(
      queue.taskKey,
      (job, token) => this.#process(job, token ?? ''),
      {
        connection: options.redis,
        prefix: ENGINE_PREFIX,
        autorun: false,
        name: options.owner,
        concurrency: queue.concurrency,
        lockDuration: LOCK_MS,
        skipLockRenewal: true,
        // The check goes by locks alone, and would give away tasks of living workers.
        skipStalledCheck: true,
        runRetryDelay: 500,
        removeOnComplete: keep,
        removeOnFail: keep,
        settings: RETRYING,
        ...(queue.rate && { limiter: { max: queue.rate.max, duration: queue.rate.durationMs } }),
      },
    )
    this.#worker.on('error', error => options.onError(error))
    amend(this.#worker, options.owner, {
      held: this.#held,
      mayTake: () => this.#sure(),
      onAsked: answer => this.#hear(answer),
      accepts: job => this.#accepts(job),
      onArrival: job => this.#begin(job),
    })
  }

  #begin(job: Job<StoredTask, StoredAnswer>): void {
    if (this.#begun.has(job)) return
    const settlement = this.#options.handle(this.#claim(job))
    // The engine awaits it later; until then a rejection must not count as unhandled.
    settlement.catch(() => undefined)
    this.#begun.set(job, settlement)
  }

  /** Whether another worker has a task that `handle` has; while that is in doubt, it waits. */
  async isTaken(taskId: string): Promise<boolean> {
    if (this.#options.isStale?.() && !this.#doubt) this.confirm()
    while (this.#doubt) await this.#doubt.promise
    return this.#held.isTaken(toJobId(taskId))
  }

  /** Resolves when it is known which tasks we hold; no other is taken before. */
  async #sure(): Promise<void> {
    while (this.#doubt || this.#looking) await (this.#doubt?.promise ?? this.#looking)
  }

  #hear(answer: Promise<unknown>): void {
    this.#asked.add(answer)
    const drop = () => void this.#asked.delete(answer)
    answer.then(drop, drop)
  }

  /**
   * The client repeats requests that the lost connection left unanswered. A task that they bring is younger
   * than one whose answer was lost, so both go back together and come again in order.
   */
  #accepts({ id = '' }: Job): boolean {
    if (!this.#looking || this.#held.has(id)) return true
    this.#lookAgain = true
    return false
  }

  /**
   * First checks the tasks that we hold, before a verdict on them is told and before others are taken; then
   * looks for those handed to us without our knowing, see unheard.ts.
   */
  #look(): void {
    this.confirm()
    this.#lookAgain = true
    this.#looking ??= this.#returnUnheard()
  }

  async #returnUnheard(): Promise<void> {
    const { redis, queue, owner } = this.#options
    const holds = (id: string) => this.#held.has(id)
    while (this.#lookAgain) {
      while (this.#asked.size > 0) await Promise.allSettled(this.#asked)
      this.#lookAgain = false
      const look = returnUnheard({ redis, taskKey: queue.taskKey, owner, holds })
      await look.catch((error: unknown) => this.#fault(error))
    }
    this.#looking = undefined
  }

  /** Asks the queue which of the tasks that we hold are still ours; until it answers, all are in doubt. */
  confirm(): void {
    this.#doubt ??= deferred()
    this.#looks += 1
    void this.#confirm(this.#looks)
  }

  async #confirm(look: number): Promise<void> {
    await this.#held.confirm().catch((error: unknown) => this.#fault(error))
    // Redis was lost once more meanwhile: the next look tells.
    if (look !== this.#looks) return
    this.#doubt?.resolve()
    this.#doubt = undefined
  }

  async start(): Promise<void> {
    await this.#worker.waitUntilReady()
    const { redis } = this.#options
    const unwatch = [
      onDisconnected(redis, () => {
        this.#doubt ??= deferred()
      }),
      onConnected(redis, () => this.#look()),
    ]
    this.#unwatch = () => {
      for (const end of unwatch) end()
    }
    this.#worker.run().catch((error: unknown) => this.#fault(error))
  }

  #fault(error: unknown): void {
    this.#options.onError(error instanceof Error ? error : new Error(messageOf(error)))
  }

  set concurrency(value: number) {
    setConcurrency(this.#worker, value)
  }

  /**
   * Takes no more tasks; resolves when those it has are settled. A Redis that is away is waited
   * for as long as there is a verdict to report.
   * @returns false when it is away
   */
  async stop(): Promise<boolean> {
    const over = new AbortController()
    const closed = this.#worker
      .close()
      .then(() => this.#looking)
      .then(() => true)
    const left = this.#emptyHanded(over.signal).then(() => false)
    return Promise.race([closed, left]).finally(() => {
      over.abort()
      this.#unwatch()
    })
  }

  /** Resolves when Redis is away and none of its tasks is ours. */
  async #emptyHanded(signal: AbortSignal): Promise<void> {
    for (;;) {
      await realClock.sleep(LEAVE_MS, signal)
      if (signal.aborted) return
      if (!(await answers(this.#options.redis, LEAVE_MS)) && this.#held.size === 0) return
    }
  }

  async #process(job: Job<StoredTask, StoredAnswer>, token: string): Promise<StoredAnswer> {
    // A stack of ours says nothing about the user's script, and it would be kept in Redis.
    job.opts.stackTraceLimit = 0
    const settlement = await (this.#begun.get(job) ?? this.#options.handle(this.#claim(job))).catch(
      (error: unknown): Settlement => {
        // A write that Redis refused, say. Thrown on, it would be a verdict that nobody has recorded.
        this.#fault(error)
        return { type: 'returned', inMs: FAULT_WAIT_MS }
      },
    )
    switch (settlement.type) {
      case 'done':
        return toStoredAnswer(settlement.answer)
      case 'failed':
        throw failure(settlement)
      case 'returned':
        return this.#giveBack(job, token, settlement.inMs ?? 0)
      case 'taken':
        this.#held.drop(job)
        // To the engine: it has been moved.
        throw new WaitingError()
    }
  }

  /** A run that we ended ourselves is neither an attempt nor a death. */
  async #giveBack(job: Job<StoredTask, StoredAnswer>, token: string, inMs: number): Promise<never> {
    const { redis, queue } = this.#options
    const held = { taskKey: queue.taskKey, jobId: job.id ?? '' }
    await this.#held.move(job, token, current =>
      giveBack(redis, { ...held, token: current }, { uncounted: true, inMs }),
    )
    // To the engine: it has been moved.
    throw new WaitingError()
  }

  #claim(job: Job<StoredTask, StoredAnswer>): Claim {
    const made = job.attemptsMade
    const willRetry = made + 1 < (job.opts.attempts ?? 1)
    return {
      task: fromStored(this.#options.queue.taskKey, job),
      attempt: (job.data.earlierAttempts ?? 0) + job.attemptsStarted,
      deaths: Math.max(0, job.attemptsStarted - made - 1),
      retryInMs: willRetry ? retryDelay(job.data.retryIntervalsMs, made + 1) : undefined,
    }
  }
}

interface Deferred {
  readonly promise: Promise<void>
  resolve(): void
}

function deferred(): Deferred {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve }
}
