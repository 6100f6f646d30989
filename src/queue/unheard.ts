import type { Redis } from 'ioredis'
import { type Clock, realClock } from '../lib/clock.ts'
import { giveBack } from './give-back.ts'
import { insist } from './insist.ts'
import { engineKeys } from './keys.ts'
import type { Scripts } from './scripts.ts'

/** A task that was handed out just now may still be on its way to us. */
const SECOND_LOOK_MS = 1000

export interface Holder {
  readonly redis: Redis & Scripts
  readonly taskKey: string
  /** The text form of this incarnation: what its locks begin with. */
  readonly owner: string
  /** Whether we know of a job that the queue says is ours. */
  readonly holds: (jobId: string) => boolean
}

/**
 * Gives back tasks that the queue has handed to us without our knowing: Redis had done the move
 * when the connection broke, and its answer never came. Nobody runs them, nobody renews their
 * locks, and as long as we live nobody takes us for dead; so it is for us to look, after each
 * new connection.
 */
export async function returnUnheard(holder: Holder, clock: Clock = realClock): Promise<void> {
  const first = await unheardOf(holder)
  if (first.size === 0) return
  await clock.sleep(SECOND_LOOK_MS)
  const { redis, taskKey } = holder
  // They were never begun.
  for (const [jobId, token] of await unheardOf(holder))
    if (first.get(jobId) === token)
      await insist(() => giveBack(redis, { taskKey, jobId, token }, true))
}

/** Ids with their locks. */
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
