import type { Redis } from 'ioredis'
import { realClock } from '../lib/clock.ts'

/** Whether Redis answers within this time, also on a connection that waits through outages. */
export async function answers(redis: Redis, limitMs: number): Promise<boolean> {
  const over = new AbortController()
  const late = realClock.sleep(limitMs, over.signal).then(() => false)
  const pong = redis.ping().then(
    () => true,
    () => false,
  )
  try {
    return await Promise.race([pong, late])
  } finally {
    over.abort()
  }
}

/** Waits for Redis no longer: commands that are pending, and later ones, fail at once. */
export function abandon(redis: Redis): void {
  redis.options.enableOfflineQueue = false
  redis.disconnect()
  // The client itself does this only when it was connected.
  const client = redis as unknown as Queued
  const closed = new Error('Connection is closed.')
  client.flushQueue(closed)
  // Commands that a lost connection left unanswered; the next connection would send them again.
  for (const { command } of client.prevCommandQueue?.toArray() ?? []) command.reject(closed)
}

/** The client's internals. */
interface Queued {
  flushQueue(error: Error): void
  readonly prevCommandQueue?: {
    toArray(): readonly { readonly command: { reject(error: Error): void } }[]
  } | null
}
