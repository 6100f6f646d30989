import { expect, it } from 'vitest'
import { newDaemon } from '../support/daemon.ts'
import { failLog, Ledger } from '../support/ledger.ts'
import { startCluster } from '../support/redis-groups.ts'
import { waitFor } from '../support/wait.ts'

const SLOW = { timeoutMs: 30_000 }

it.each(['killed', 'frozen'] as const)(
  'a master with a replica is %s: the replica takes over, and nothing is lost',
  { timeout: 90_000 },
  async how => {
    await using group = await startCluster(1)
    await using daemon = newDaemon({ taskd: { redis: group.url } })
    await daemon.start()
    const ledger = new Ledger(daemon)
    using redis = group.client()
    const pushAll = (name: string) =>
      Promise.all(
        ['sync_tasks', 'async_tasks'].flatMap(key =>
          Array.from({ length: 50 }, (_, n) =>
            ledger.push(redis, key, `${name}-${key}-${n}`, n % 10 ? '' : '3'),
          ),
        ),
      )
    await pushAll('before')
    await ledger.complete()
    // The engine's keys are on the first.
    const [first] = group.servers
    if (!first) throw new Error('no server')
    if (how === 'killed') await first.kill()
    else first.freeze()
    const health = async () => (await daemon.status()).redis
    await waitFor(async () => !(await health()).ok, { ...SLOW, what: 'status says away' })
    const during = pushAll('during')
    await waitFor(async () => (await health()).ok, { ...SLOW, what: 'the replica took over' })
    expect((await health()).servers).not.toContain(`127.0.0.1:${first.port}`)
    await during
    await pushAll('after')
    await ledger.complete(40_000)
    expect(new Set(ledger.ids()).size).toBe(ledger.ids().length)
    await waitFor(
      async () => {
        expect((await failLog(daemon)).toSorted()).toEqual(ledger.failedRuns().toSorted())
        return true
      },
      { ...SLOW, what: 'each failed run is in fail_log once' },
    )
    if (how === 'frozen') first.thaw()
  },
)
