import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { wayTo } from '../support/cut-off.ts'
import {
  killNow,
  linesOf,
  newDaemon,
  redisClient,
  startDaemon,
  type TestDaemon,
} from '../support/daemon.ts'
import { failLog } from '../support/ledger.ts'
import { startRedis, type TestServer, tempDir } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 12_000
const SETTINGS = { node_timeout: '12s', kill_wait: '1s' }

/**
 * `$1` is the shared folder, `$2` how long a first run takes. It ignores TERM, so that only a KILL
 * ends it; two runs of one task at once are told of.
 */
const RUN = `#!/bin/sh
trap '' TERM
exec 9>> "$1/lock-$TASKD_TASK_ID"
flock -n 9 || echo "$TASKD_TASK_ID" >> "$1/overlaps"
echo "$TASKD_TASK_ID $TASKD_WORKER_ID $TASKD_ATTEMPT" >> "$1/begun"
n=0
while [ ! -e "$1/go" ] && [ $n -lt "$2" ]; do sleep 1 9>&-; n=$((n + 1)); done
echo "$TASKD_TASK_ID $TASKD_WORKER_ID" >> "$1/ended"
`

async function push(server: TestServer, daemon: TestDaemon, shared: string, ids: string[]) {
  const script = daemon.script('run.sh', RUN)
  using redis = redisClient(server.path)
  for (const id of ids) {
    const message = { script, controller: shared, function: '120', unique_task_id: id }
    await redis.lpush(id.startsWith('sync') ? 'sync_tasks' : 'async_tasks', JSON.stringify(message))
  }
}

const states = async (daemon: TestDaemon) =>
  ((await daemon.status()).nodes ?? []).map(one => `${one.name} ${one.state}`).join(', ')

const sees = (daemon: TestDaemon, wanted: string, timeoutMs = 30_000) =>
  waitFor(async () => (await states(daemon)) === wanted, { timeoutMs, what: wanted })

const named = (node: string, redis: string) => ({ taskd: { ...SETTINGS, node, redis } })

describe.concurrent('nodes on one Redis', () => {
  it('a machine that is gone: others run its tasks after node_timeout, and say so', async () => {
    await using server = await startRedis({ args: ['--appendonly', 'yes'] })
    const shared = tempDir('taskd-nodes-')
    const begun = () => linesOf(join(shared.path, 'begun'))
    await using a = await startDaemon(named('a', server.url))
    await push(server, a, shared.path, ['sync-1', 'async-1', 'async-2'])
    await waitFor(() => begun().length === 3, { what: 'a runs them' })
    await using b = await startDaemon(named('b', server.url))
    await using c = await startDaemon(named('c', server.url))
    await sees(b, 'b alive, a alive, c alive')
    for (const { pid } of a.processes()) killNow(pid)
    const from = performance.now()
    await waitFor(() => begun().length === 6, { timeoutMs: 60_000, what: 'others run them' })
    const afterMs = performance.now() - from
    expect(afterMs).toBeGreaterThan(TIMEOUT_MS - 2500)
    expect(
      begun()
        .slice(3)
        .every(line => /^\S+ [bc]-\S+ 2$/.test(line)),
    ).toBe(true)
    await sees(b, 'b alive, a gone, c alive')
    const status = await b.cli('status')
    expect(status.code).toBe(3)
    expect(status.stdout).toMatch(/^node a +GONE +since .*no sign of life; its tasks go to/m)
    expect(b.log() + c.log()).toMatch(/node a gives no sign of life/)
    expect(b.log() + c.log()).toMatch(/given back: its node is gone/)
    await a.start()
    await sees(b, 'b alive, a alive, c alive')
    expect((await b.cli('status')).code).toBe(0)
    await delay(1000)
    expect(begun()).toHaveLength(6)
    expect(linesOf(join(shared.path, 'overlaps'))).toEqual([])
    // A node that stops in order is not missed.
    await c.stop()
    await sees(b, 'b alive, a alive')
    await shared.remove()
  })

  it('a node that is cut off ends its sync runs before another begins them', async () => {
    await using server = await startRedis({ args: ['--appendonly', 'yes'] })
    await using way = await wayTo(server.path)
    const shared = tempDir('taskd-nodes-')
    const begun = () => linesOf(join(shared.path, 'begun'))
    await using a = await startDaemon(named('a', way.url))
    await push(server, a, shared.path, ['sync-1', 'async-1'])
    await waitFor(() => begun().length === 2, { what: 'a runs them' })
    await using b = await startDaemon(named('b', server.url))
    await sees(a, 'a alive, b alive')
    await delay(2 * (TIMEOUT_MS / 6))
    way.cut()
    const twice = (id: string) => begun().filter(line => line.startsWith(id)).length === 2
    await waitFor(() => twice('sync-1') && twice('async-1'), {
      timeoutMs: 60_000,
      what: 'b runs them',
    })
    // The sync run was dead by then; runs of async queues are left alone by default.
    expect(linesOf(join(shared.path, 'overlaps'))).toEqual(['async-1'])
    expect(await states(a)).toBe('a fenced, b unknown')
    expect((await a.cli('status')).stdout).toMatch(/^node a +FENCED /m)
    expect(a.log()).toMatch(/its runs end, before other nodes take their tasks.*sync-1/)
    await sees(b, 'b alive, a gone')
    way.heal()
    await sees(b, 'b alive, a alive')
    await waitFor(() => a.log().includes('another node has taken a task over'), {
      timeoutMs: 30_000,
      what: 'a knows',
    })
    await waitFor(async () => (await states(a)) === 'a alive, b alive', { what: 'a is well' })
    writeFileSync(join(shared.path, 'go'), '')
    using redis = redisClient(server.path)
    await waitFor(async () => (await redis.keys('*:lock')).length === 0, {
      timeoutMs: 30_000,
      what: 'all is settled',
    })
    expect(await redis.zcard('{taskd}:sync_tasks:completed')).toBe(1)
    expect(await redis.zcard('{taskd}:async_tasks:completed')).toBe(1)
    expect(begun()).toHaveLength(4)
    expect([...(await failLog(a)), ...(await failLog(b))]).toEqual([])
    await shared.remove()
  })

  it('an outage for all moves nothing: nobody takes what another has', async () => {
    await using server = await startRedis({ args: ['--appendonly', 'yes'] })
    const shared = tempDir('taskd-nodes-')
    const begun = () => linesOf(join(shared.path, 'begun'))
    await using a = await startDaemon(named('a', server.url))
    await push(server, a, shared.path, ['sync-1', 'async-1', 'async-2'])
    await waitFor(() => begun().length === 3, { what: 'a runs them' })
    await using b = await startDaemon(named('b', server.url))
    await sees(a, 'a alive, b alive')
    server.freeze()
    await delay(3 * TIMEOUT_MS)
    server.thaw()
    await sees(b, 'b alive, a alive')
    // Whoever would take what is not his would have by then.
    await delay(1.5 * TIMEOUT_MS)
    const runs = begun().map(line => line.split(' ').slice(0, 2).join(' '))
    const asynchronous = runs.filter(run => run.startsWith('async'))
    expect(asynchronous.toSorted()).toEqual(
      ['async-1', 'async-2'].map(id => `${id} a-async_tasks-1`),
    )
    // The sync run was ended, because a could not know that b is cut off too; it is the first again.
    expect(
      begun()
        .filter(line => line.startsWith('sync'))
        .every(line => line.endsWith(' 1')),
    ).toBe(true)
    expect(linesOf(join(shared.path, 'overlaps'))).toEqual([])
    expect(a.log() + b.log()).not.toMatch(/gives no sign of life/)
    await shared.remove()
  })

  it('a single node ends nothing, however long Redis is away', async () => {
    await using server = await startRedis({ args: ['--appendonly', 'yes'] })
    const shared = tempDir('taskd-nodes-')
    await using a = newDaemon(named('a', server.url))
    await a.start()
    await push(server, a, shared.path, ['sync-1'])
    await waitFor(() => linesOf(join(shared.path, 'begun')).length === 1, { what: 'it runs' })
    server.freeze()
    await delay(2 * TIMEOUT_MS)
    server.thaw()
    await delay(TIMEOUT_MS / 2)
    expect(linesOf(join(shared.path, 'begun'))).toHaveLength(1)
    expect(a.log()).not.toMatch(/its runs end/)
    await shared.remove()
  })
})
