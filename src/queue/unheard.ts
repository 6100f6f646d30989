import type { Redis } from 'ioredis'
import { engineKeys } from './engine-keys.ts'
import { giveBack } from './give-back.ts'
import { insist } from './insist.ts'
import type { Scripts } from './scripts.ts'

export interface Holder {
  readonly redis: Redis & Scripts
  readonly taskKey: string
  /** The text form of this incarnation: what its locks begin with. */
  readonly owner: string
  /** Whether we hold a job that the queue says is ours. */
  readonly holds: (jobId: string) => boolean
}

/**
 * Gives back tasks that the queue has handed to us without our knowing: Redis had done the move
 * when the connection broke, and its answer never came. Nobody runs them, and as long as we live
 * nobody else recovers them. So we look after each new connection. Must be called while
 * no answer that may bring a task is pending. The tasks keep their order.
 */
export async function returnUnheard(holder: Holder): Promise<void> {
  const { redis, taskKey } = holder
  // The newest first, each to the front; not counted as starts, because they never began.
  for (const [jobId, token] of await insist(() => unheardOf(holder)))
    await insist(() => giveBack(redis, { taskKey, jobId, token }, { uncounted: true }))
}

/** Ids with their locks, the one that was handed out last first. */
async function unheardOf({ redis, taskKey, owner, holds }: Holder): Promise<Map<string, string>> {
  const keys = engineKeys(taskKey)
  const found = new Map<string, string>()
  for (const id of await redis.lrange(keys.active, 0, -1)) {
    if (holds(id)) continue
    const lock = await redis.get(keys.lock(id))
    if (lock?.startsWith(`${owner}:`)) found.set(id, lock)
  }
  return found
}
