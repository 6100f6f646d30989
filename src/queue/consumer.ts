import { DelayedError, type Job, UnrecoverableError, WaitingError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { realClock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { Answer, FailKind } from '../model/run-result.ts'
import type { Task } from '../model/task.ts'
import { amend, type Looping } from './amend.ts'
import { answers } from './answers.ts'
import { onConnected } from './connection.ts'
import { giveBack } from './give-back.ts'
import { insist } from './insist.ts'
import { ENGINE_PREFIX, engineKeys } from './keys.ts'
import type { Scripts } from './scripts.ts'
import { fromStored, retryDelay, type StoredTask } from './stored-task.ts'
import { returnUnheard } from './unheard.ts'

/** Long, because a Redis that freezes for less must not make a task run twice. */
const LOCK_MS = 120_000
const STALLED_CHECK_MS = 15_000
/** For so long the engine may take to stop, and then Redis to answer. */
const LEAVE_MS = 1000

/** A task that this worker has taken. */
export interface Claim {
  readonly task: Task
  /** From 1; counts every start, also those that ended with a dead worker. */
  readonly attempt: number
  /** Workers that died with this task since its last verdict. */
  readonly deaths: number
  /** When a failure now would be retried: the wait, ms. */
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
  /** Given back unharmed: it was we who stopped it. With `inMs`, nobody has it before then. */
  | { readonly type: 'returned'; readonly inMs?: number }

export interface ConsumerOptions {
  readonly redis: Redis & Scripts
  readonly queue: QueueSpec
  /** Goes into every lock, see model/owner.ts. */
  readonly owner: string
  readonly keepMs: number
  readonly keepCount: number
  /** How long Redis keeps a task for us without a word from us, ms. */
  readonly lockMs?: number
  /** Whether any task is still being worked on, told apart from one whose end is still to be told. */
  readonly isRunning: () => boolean
  handle(claim: Claim): Promise<Settlement>
  onError(error: Error): void
}

/** In the words of the engine; its message is kept with the task. */
function failure({ answer, kind = '', retry }: Settlement & { readonly type: 'failed' }): Error {
  const text = JSON.stringify({ ...answer, kind })
  return retry ? new Error(text) : new UnrecoverableError(text)
}

/** Takes tasks from one queue and settles them: BullMQ's Worker behind a small door. */
export class Consumer {
  readonly #worker: Worker<StoredTask, Answer>
  readonly #options: ConsumerOptions
  /** Jobs from their arrival until the queue has taken our verdict on them. */
  readonly #held = new Set<string>()
  readonly #begun = new WeakMap<Job, Promise<Settlement>>()
  #unwatch = () => {}
  #looking: Promise<void> = Promise.resolve()

  constructor(options: ConsumerOptions) {
    const { queue } = options
    const keep = { age: Math.ceil(options.keepMs / 1000), count: options.keepCount }
    this.#options = options
    this.#worker = new Worker<StoredTask, Answer>(
      queue.taskKey,
      (job, token) => this.#process(job, token ?? ''),
      {
        connection: options.redis,
        prefix: ENGINE_PREFIX,
        autorun: false,
        name: options.owner,
        concurrency: queue.concurrency,
        lockDuration: options.lockMs ?? LOCK_MS,
        stalledInterval: STALLED_CHECK_MS,
        // Deaths are counted by `attempt`, in one place, whoever noticed them.
        maxStalledCount: 1000,
        runRetryDelay: 500,
        removeOnComplete: keep,
        removeOnFail: keep,
        settings: {
          backoffStrategy: (made, _type, _error, job) =>
            retryDelay((job?.data as StoredTask | undefined)?.retryIntervalsMs, made),
        },
        ...(queue.rate && { limiter: { max: queue.rate.max, duration: queue.rate.durationMs } }),
      },
    )
    // The lock's value; a prefix that recovery understands instead of a random one.
    ;(this.#worker as { id: string }).id = options.owner
    this.#worker.on('error', error => options.onError(error))
    amend(this.#worker, { held: this.#held, onArrival: job => this.#begin(job) })
  }

  #begin(job: Job<StoredTask, Answer>): void {
    this.#held.add(job.id ?? '')
    const settlement = this.#options.handle(this.#claim(job))
    // The engine asks for it later; until then a failure is nobody's to hear.
    settlement.catch(() => undefined)
    this.#begun.set(job, settlement)
  }

  /** See unheard.ts; one look at a time, and one that fails is followed by another. */
  #look(): void {
    const { redis, queue, owner } = this.#options
    const holder = {
      redis,
      taskKey: queue.taskKey,
      owner,
      holds: (id: string) => this.#held.has(id),
    }
    this.#looking = this.#looking
      .then(() => returnUnheard(holder))
      .catch((error: unknown) => this.#fault(error))
  }

  async start(): Promise<void> {
    await this.#worker.waitUntilReady()
    this.#unwatch = onConnected(this.#options.redis, () => this.#look())
    this.#worker.run().catch((error: unknown) => this.#fault(error))
  }

  #fault(error: unknown): void {
    this.#options.onError(error instanceof Error ? error : new Error(messageOf(error)))
  }

  set concurrency(value: number) {
    this.#worker.concurrency = value
    // A worker that is full looks at it when a task ends; a fetch of nothing makes it look now.
    const { mainLoopQueue } = this.#worker as unknown as Looping
    mainLoopQueue?.add(Promise.resolve(undefined))
  }

  /**
   * Takes no more tasks; resolves when those it has are settled. A Redis that is away is waited
   * for as long as its locks hold: what has ended until then cannot be told any more.
   * @returns false when it is
   */
  async stop(): Promise<boolean> {
    this.#unwatch()
    const over = new AbortController()
    const closed = this.#worker.close().then(() => true)
    const left = this.#emptyHanded(over.signal).then(() => false)
    return Promise.race([closed, left]).finally(() => over.abort())
  }

  /** Resolves when Redis is away and none of its tasks is ours, or ours any longer. */
  async #emptyHanded(signal: AbortSignal): Promise<void> {
    const { redis, isRunning, lockMs = LOCK_MS } = this.#options
    let answeredAt = realClock.monotonic()
    for (;;) {
      await realClock.sleep(LEAVE_MS, signal)
      if (signal.aborted) return
      if (await answers(redis, LEAVE_MS)) answeredAt = realClock.monotonic()
      else if (this.#held.size === 0) return
      else if (realClock.monotonic() - answeredAt > lockMs && !isRunning()) return
    }
  }

  async #process(job: Job<StoredTask, Answer>, token: string): Promise<Answer> {
    // A stack of ours says nothing about the user's script, and it would be kept in Redis.
    job.opts.stackTraceLimit = 0
    const settlement = await (this.#begun.get(job) ?? this.#options.handle(this.#claim(job)))
    switch (settlement.type) {
      case 'done':
        return settlement.answer
      case 'failed':
        throw failure(settlement)
      case 'returned':
        return this.#giveBack(job, token, settlement.inMs ?? 0)
    }
  }

  /** A run that we ended ourselves is neither an attempt nor a death. */
  async #giveBack(job: Job, token: string, inMs: number): Promise<never> {
    const { redis, queue } = this.#options
    const { taskKey } = queue
    const jobId = job.id ?? ''
    if (inMs <= 0) {
      await insist(() => giveBack(redis, { taskKey, jobId, token }, true))
      throw new WaitingError()
    }
    // Before the move: after it, somebody else may have taken the task already.
    await insist(() => redis.hincrby(engineKeys(taskKey).job(jobId), 'ats', -1))
    await insist(() => job.moveToDelayed(Date.now() + inMs, token))
    throw new DelayedError()
  }

  #claim(job: Job<StoredTask, Answer>): Claim {
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
