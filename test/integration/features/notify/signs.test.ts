import { expect, test } from 'vitest'
import { claimNotice } from '../../../../src/features/notify/signs.ts'
import { createClient } from '../../../../src/queue/connection.ts'
import { NOTICE_CLAIM_MS, noticeClaim } from '../../../../src/queue/keys.ts'
import { startRedis } from '../../../support/servers.ts'

test('of many nodes one tells of a missed job, also when it asks twice', async () => {
  await using server = await startRedis()
  const redis = createClient(server.url, 'work', 'test')
  try {
    const missed = { section: 'ops', job: 'task:报表 a:b', tick: 1_795_230_600_000 }
    const nodes = Array.from({ length: 20 }, (_, n) => `web-${n}`)
    const mine = await Promise.all(nodes.map(node => claimNotice(redis, node, missed)))
    expect(mine.filter(Boolean)).toHaveLength(1)
    const again = await Promise.all(nodes.map(node => claimNotice(redis, node, missed)))
    expect(again).toEqual(mine)
    expect(await claimNotice(redis, 'web-x', { ...missed, tick: missed.tick + 1 })).toBe(true)
    expect(await claimNotice(redis, 'web-x', { ...missed, section: 'other' })).toBe(true)
    const { section, job, tick } = missed
    const left = await redis.pttl(noticeClaim(section, job, tick))
    expect(left).toBeGreaterThan(NOTICE_CLAIM_MS - 60_000)
    expect(left).toBeLessThanOrEqual(NOTICE_CLAIM_MS)
  } finally {
    redis.disconnect()
  }
})
