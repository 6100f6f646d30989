import { messageOf } from '../../lib/errors.ts'

/**
 * Redis failed, which says nothing about the database. The health check reports its outage.
 * Errors of both servers have the same words, so this class tells whose error it is.
 */
export class RedisError extends Error {}

export async function ofRedis<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new RedisError(messageOf(error), { cause: error })
  }
}
