import type { Redis } from 'ioredis'
import type { Task } from '../model/task.ts'

import { Job, openQueue, type Queue } from './bullmq.ts'

import { failure, RETRYING, type Settlement } from './consumer.ts'

import { ENGINE_PREFIX, engineKeys, jobFields } from './engine-keys.ts'
import { giveBack } from './give-back.ts'
import { LOCK_MS } from './held-jobs.ts'
import { toJobId } from './job-id.ts'
import { SIGNS } from './keys.ts'
import type { Scripts } from './scripts.ts'
import { type StoredAnswer, toStoredAnswer } from './stored-answer.ts'
import { fromStored, type StoredTask } from './stored-task.ts'

/** Judges the owners of tasks, given by their text form. */
export interface Judge {
  /** Whether others may take its tasks. */
  isDead(owner: string): boolean
  /** The sign of life that it was judged by, see node-sign.ts; '' for one judged otherwise. */
  signOf(owner: string): string
  /** The owner under which its tasks are taken, so that they can be recovered again should we die. */
  readonly me: string
}

/** A task whose owner is dead, now locked by us. */
export interface Orphan {
  readonly task: Task
  /** The text form of the dead owner. */
  readonly owner: string
  /** When it was handed out, ms, by the clock of its node. */
  readonly begunAt: number | undefined
  readonly attempt: number
  /** Workers that died with it, this one included. */
  readonly deaths: number
  /** Back to the front of its queue. */
  giveBack(): Promise<void>
  /** Settles it with the queue as its owner would have. */
  settle(settlement: Settlement & { readonly type: 'done' | 'failed' }): Promise<void>
}

/**
 * The running tasks of one queue whose owner is dead. Only the queue itself is asked, so
 * this also finds tasks that a worker had taken without telling anybody.
 */
export async function findOrphans(
  redis: Redis & Scripts,
  taskKey: string,
  judge: Judge,
): Promise<Orphan[]> {
  const keys = engineKeys(taskKey)
  const ids = await redis.lrange(keys.active, 0, -1)
  if (ids.length === 0) return []
  // Made for what is found, which is rare: each listens to the connection for as long as that lives.
  let queue: Queue<StoredTask, StoredAnswer> | undefined
  const orphans: Orphan[] = []
  for (const id of ids) {
    const [lock, processedBy] = await Promise.all([
      redis.get(keys.lock(id)),
      redis.hget(keys.job(id), jobFields.owner),
    ])
    const owner = lock?.replace(/:\w+$/, '') ?? processedBy ?? ''
    if (owner === '' || !judge.isDead(owner)) continue
    const token = `${judge.me}:recovered`
    const sign = judge.signOf(owner)
    const args = [lock ?? '', token, LOCK_MS, sign] as const
    if ((await redis.seizeLock(keys.lock(id), SIGNS, ...args)) === 0) continue
    queue ??= queueOf(redis, taskKey)
    const job = await Job.fromId<StoredTask, StoredAnswer>(queue, id)
    // An owner that died while recovering it has not run it.
    if (job) orphans.push(toOrphan(redis, taskKey, job, processedBy ?? owner, token))
  }
  return orphans
}

/** Whether the engine knows a task, in whatever state. */
export async function isRemembered(redis: Redis, taskKey: string, id: string): Promise<boolean> {
  return (await redis.exists(engineKeys(taskKey).job(toJobId(id)))) === 1
}

function queueOf(redis: Redis, taskKey: string): Queue<StoredTask, StoredAnswer> {
  const queue = openQueue<StoredTask, StoredAnswer>(taskKey, {
    connection: redis,
    prefix: ENGINE_PREFIX,
    skipMetasUpdate: true,
    settings: RETRYING,
  })
  queue.on('error', () => undefined)
  return queue
}

function toOrphan(
  redis: Redis & Scripts,
  taskKey: string,
  job: Job<StoredTask, StoredAnswer>,
  owner: string,
  token: string,
): Orphan {
  return {
    task: fromStored(taskKey, job),
    owner,
    begunAt: job.processedOn,
    attempt: (job.data.earlierAttempts ?? 0) + job.attemptsStarted,
    deaths: Math.max(1, job.attemptsStarted - job.attemptsMade),
    async giveBack() {
      await giveBack(redis, { taskKey, jobId: job.id ?? '', token })
    },
    async settle(settlement) {
      job.opts.stackTraceLimit = 0
      if (settlement.type === 'failed') await job.moveToFailed(failure(settlement), token, false)
      else await job.moveToCompleted(toStoredAnswer(settlement.answer), token, false)
    },
  }
}
