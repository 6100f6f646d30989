import { expect, test } from 'vitest'
import { claimNotice, readSigns } from '../../../../src/features/notify/signs.ts'
import { recordVerdict } from '../../../../src/monitor/hashes.ts'
import { createClient } from '../../../../src/queue/connection.ts'
import { cronState, NOTICE_CLAIM_MS, noticeClaim } from '../../../../src/queue/keys.ts'
import { startRedis } from '../../../support/servers.ts'

test('what is known of jobs is read for all at once, also of those that nobody knows', async () => {
  await using server = await startRedis()
  const redis = createClient(server.url, 'work', 'test')
  try {
    await redis.hset(cronState('good'), { last_id: 'cron-good-1', paused: 'by root' })
    await recordVerdict(redis, 'good', { id: 'a', code: 'succ', succeeded: true, at: 1000 })
    await recordVerdict(redis, 'bad', { id: 'b', code: 'stale', succeeded: false, at: 2000 })
    expect(await readSigns(redis, ['good', 'none', 'bad'])).toEqual([
      { end: 1000, succeeded: true, lastId: 'cron-good-1', paused: 'by root' },
      { end: undefined, succeeded: false, lastId: '', paused: '' },
      { end: 2000, succeeded: false, lastId: '', paused: '' },
    ])
  } finally {
    redis.disconnect()
  }
})

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
