import type { Redis } from 'ioredis'
import { messageOf } from '../lib/errors.ts'
import { badList, badListAside } from './keys.ts'
import { writeAnyway } from './scripts.ts'

/**
 * Puts messages that cannot be understood on the list for them; or on a second list, where the key of
 * the first has another type: the messages behind them must not wait for that.
 * @returns the key they are in now
 */
export async function pushBad(
  redis: Redis,
  taskKey: string,
  entries: readonly string[],
): Promise<string> {
  const list = badList(taskKey)
  try {
    await writeAnyway(redis, [['LPUSH', list, ...entries]])
    return list
  } catch (error) {
    if (!isWrongType(error)) throw error
    const aside = badListAside(taskKey)
    await writeAnyway(redis, [['LPUSH', aside, ...entries]])
    return aside
  }
}

export async function countBad(redis: Redis, taskKey: string): Promise<number> {
  return redis.llen(badList(taskKey)).catch((error: unknown) => {
    if (!isWrongType(error)) throw error
    return redis.llen(badListAside(taskKey))
  })
}

export function isWrongType(error: unknown): boolean {
  return messageOf(error).includes('WRONGTYPE')
}
