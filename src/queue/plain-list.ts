import type { Redis } from 'ioredis'

/** Messages in a plain list that no intake has taken yet; null when the key is no list. */
export async function listed(redis: Redis, taskKey: string): Promise<number | null> {
  try {
    return await redis.llen(taskKey)
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return null
    throw error
  }
}
