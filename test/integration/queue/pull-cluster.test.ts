import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { pullKeys } from '../../../src/queue/keys.ts'
import { aTask, LEASE_MS, pullBench, someTasks } from '../../support/pull-bench.ts'
import { waitFor } from '../../support/wait.ts'

test('each script keeps to one slot of a cluster', async () => {
  const [port, bus] = await Promise.all([freePort(), freePort()])
  const cluster = ['--cluster-enabled', 'yes', '--cluster-port', `${bus}`]
  const bench = await pullBench([...cluster, '--port', `${port}`, '--bind', '127.0.0.1'])
  try {
    await bench.redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    const serves = async () => (await bench.redis.cluster('INFO')).includes('cluster_state:ok')
    await waitFor(serves, { what: 'the cluster serves' })
    const slots = await Promise.all(
      Object.values(pullKeys('far')).map(key => bench.redis.cluster('KEYSLOT', key)),
    )
    expect(new Set(slots).size).toBe(1)
    // A server of a cluster refuses a script that reaches beyond the slot of its keys.
    const queue = bench.queue({ retries: 1, maxLeases: 1 })
    await queue.push(someTasks(6))
    await queue.push([aTask('front')], { promote: true })
    expect(await queue.claim(5, 'agent 1', 'x')).toHaveLength(5)
    expect(await queue.claim(5, 'agent 1', 'x')).toHaveLength(5)
    await queue.report({ finish: [{ id: 't0' }], failed: [{ id: 't1' }] })
    await queue.giveBack([{ id: 'front' }])
    bench.now += LEASE_MS
    expect(await queue.expire()).toEqual({ requeued: 0, dead: 2 })
    expect(await queue.handOverDead(async () => undefined)).toBe(3)
    expect(await queue.retryDead(['t1'])).toMatchObject({ accepted: 1 })
    expect(await queue.counts()).toMatchObject({ todo: 4, doing: 0, finish: 1, failed: 2 })
  } finally {
    await bench.remove()
  }
})

/** A port of the loopback that nobody listens on. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}
