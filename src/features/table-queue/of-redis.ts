import { messageOf } from '../../lib/errors.ts'

/**
 * Redis failed, which says nothing about the database. Its outage is the health check's to report.
 * Both are servers that are gone with the same words, so whose error it is must be told apart here.
 */
export class RedisError extends Error {}

export async function ofRedis<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new RedisError(messageOf(error), { cause: error })
  }
}
