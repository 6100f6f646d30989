import type { Redis } from 'ioredis'
import { cronState, NOTICE_CLAIM_MS, noticeClaim } from '../../queue/keys.ts'
import type { JobSign } from './world.ts'

/** What is known of jobs in Redis. @param redis a connection that fails rather than waits */
export async function readSigns(redis: Redis, jobs: readonly string[]): Promise<JobSign[]> {
  const fields = ['last_end', 'last_outcome', 'last_id', 'paused'] as const
  // One by one: in a cluster they lie in many slots. They go out in one write anyway.
  return Promise.all(
    jobs.map(async job => {
      const [end, outcome, lastId, paused] = await redis.hmget(cronState(job), ...fields)
      return {
        end: end === null || end === undefined || end === '' ? undefined : Number(end),
        succeeded: outcome === 'succ',
        lastId: lastId ?? '',
        paused: paused ?? '',
      }
    }),
  )
}

/** @returns whether this node was the first for this tick, be it in an earlier call */
export async function claimNotice(
  redis: Redis,
  node: string,
  missed: { readonly section: string; readonly job: string; readonly tick: number },
): Promise<boolean> {
  const key = noticeClaim(missed.section, missed.job, missed.tick)
  if ((await redis.set(key, node, 'PX', NOTICE_CLAIM_MS, 'NX')) === 'OK') return true
  return (await redis.get(key)) === node
}
