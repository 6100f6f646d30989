import type { Redis } from 'ioredis'
import { intakeList, NODES } from './keys.ts'

/**
 * Takes over what nodes that are gone had taken from the plain lists and not yet put into
 * the engine: at most a batch each. The messages have their ids, so a node that comes back in
 * the middle of this does no harm.
 * @returns how many messages were moved to this node's private lists
 */
export async function adoptFromDead(
  redis: Redis,
  me: string,
  taskKeys: readonly string[],
  isGone: (node: string) => boolean,
): Promise<number> {
  let moved = 0
  for (const node of await redis.smembers(NODES)) {
    if (node === me || !isGone(node)) continue
    for (const taskKey of taskKeys)
      while (await redis.lmove(intakeList(taskKey, node), intakeList(taskKey, me), 'LEFT', 'RIGHT'))
        moved += 1
    await redis.srem(NODES, node)
  }
  return moved
}
