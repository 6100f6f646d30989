import type { Redis } from 'ioredis'
import { NOTICE_CLAIM_MS, noticeClaim } from '../../queue/keys.ts'

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
