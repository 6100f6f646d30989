import type { Redis } from 'ioredis'
import { realClock } from '../lib/clock.ts'
import { engineKeys } from './engine-keys.ts'
import { type Scripts, writeAnyway } from './scripts.ts'

/** A task that is being worked on, with the names that the engine uses. */
export interface HeldJob {
  readonly taskKey: string
  readonly jobId: string
  /** The value of its lock. */
  readonly token: string
}

export interface GiveBackOptions {
  /** We ended it or never began it: neither an attempt nor a death. */
  readonly uncounted?: boolean
  /** Nobody gets it before this has passed, ms. */
  readonly inMs?: number
}

/**
 * Every way back from a worker to the queue. To its front: a worker that waits, on whatever node,
 * begins the task at once; with `inMs` to the delayed ones.
 * @returns false when it is not ours any more
 */
export async function giveBack(
  redis: Redis & Scripts,
  { taskKey, jobId, token }: HeldJob,
  { uncounted = false, inMs = 0 }: GiveBackOptions = {},
): Promise<boolean> {
  const keys = engineKeys(taskKey)
  const moved = await redis.giveBack(
    keys.job(jobId),
    keys.lock(jobId),
    keys.active,
    keys.stalled,
    keys.prioritized,
    keys.delayed,
    keys.marker,
    jobId,
    token,
    uncounted ? 1 : 0,
    Math.ceil(inMs),
    realClock.now(),
  )
  return moved === 1
}

/** Wakes a waiting worker of the queue, in case the one that was woken has died. */
export async function wake(redis: Redis, taskKey: string): Promise<void> {
  await writeAnyway(redis, [['ZADD', engineKeys(taskKey).marker, 0, '0']])
}
