import type { Redis } from 'ioredis'
import { engineKeys } from './keys.ts'
import { type Scripts, writeAnyway } from './scripts.ts'

/** A task that is being worked on, in the words of the engine. */
export interface HeldJob {
  readonly taskKey: string
  readonly jobId: string
  /** The value of its lock. */
  readonly token: string
}

/**
 * Every way back from a worker to the front of the queue: a worker that waits, on whatever node,
 * begins the task at once.
 * @param uncounted it was we who ended or never began it: neither an attempt nor a death
 * @returns false when it is not ours any more
 */
export async function giveBack(
  redis: Redis & Scripts,
  { taskKey, jobId, token }: HeldJob,
  uncounted = false,
): Promise<boolean> {
  const keys = engineKeys(taskKey)
  const moved = await redis.giveBack(
    keys.job(jobId),
    keys.lock(jobId),
    keys.active,
    keys.stalled,
    keys.prioritized,
    keys.marker,
    jobId,
    token,
    uncounted ? 1 : 0,
  )
  return moved === 1
}

/** Lets a worker that waits look at its queue, should the one that was woken have died of it. */
export async function wake(redis: Redis, taskKey: string): Promise<void> {
  await writeAnyway(redis, [['ZADD', engineKeys(taskKey).marker, 0, '0']])
}
