import { expect, test } from 'vitest'
import { createClient } from '../../../src/queue/connection.ts'
import { TaskQueues } from '../../../src/queue/task-queues.ts'
import { startRedis } from '../../support/servers.ts'
import { waitFor } from '../../support/wait.ts'

test('a queue that is first asked about while Redis is away answers when it is back', async () => {
  await using server = await startRedis()
  const redis = createClient(server.url, 'ask', 'test')
  const queues = new TaskQueues(redis, () => 0)
  try {
    await redis.connect()
    const listeners = () => redis.listenerCount('ready')
    const before = listeners()
    server.freeze()
    await expect(queues.counts('far')).rejects.toThrow('Command timed out')
    server.thaw()
    const none = { waiting: 0, delayed: 0, active: 0, bad: 0, paused: false }
    await waitFor(() => queues.counts('far').then(counts => counts.waiting === 0), {
      what: 'it is counted',
    })
    expect(await queues.counts('far')).toEqual(none)
    // One for the queue that is there now, and none of those that were given up.
    expect(listeners()).toBeLessThanOrEqual(before + 1)
  } finally {
    await queues.close()
    redis.disconnect()
  }
})
