import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { linesOf, redisClient, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { failLog } from '../support/ledger.ts'
import { startRedis, type TestServer } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

/** Longer than the locks of version 0.1 held; `TASKD_TEST_AWAY_S=400` for the long run by hand. */
const AWAY_MS = Number(process.env['TASKD_TEST_AWAY_S'] ?? 140) * 1000

/** `$1` is the folder, `$2` how long, `$3` the exit code: two runs of one task at once are told of. */
const RUN = `#!/bin/sh
exec 9> "$1/lock-$TASKD_TASK_ID"
flock -n 9 || echo "$TASKD_TASK_ID" >> "$1/overlaps"
echo "$TASKD_TASK_ID" >> "$1/begun"
sleep "\${2%,*}" 9>&-
echo "$TASKD_TASK_ID" >> "$1/ended"
exit "\${2#*,}"
`

/** Ended while Redis is away, still running when it is back, waiting all the time. */
async function load(daemon: TestDaemon, server: TestServer): Promise<readonly string[]> {
  const script = daemon.script('run.sh', RUN)
  const message = (id: string, seconds: number, code = 0) =>
    JSON.stringify({
      script,
      controller: daemon.dir,
      function: `${seconds},${code}`,
      unique_task_id: id,
    })
  using redis = redisClient(server.path)
  const ids: string[] = []
  const push = async (list: string, id: string, seconds: number, code = 0) => {
    await redis.lpush(list, message(id, seconds, code))
    ids.push(id)
  }
  for (const n of [1, 2, 3]) await push('async_tasks', `ended-${n}`, 15)
  for (const n of [1, 2, 3]) await push('async_tasks', `runs-${n}`, AWAY_MS / 1000 + 40)
  await push('async_tasks', 'fails', 15, 3)
  await push('sync_tasks', 'sync-1', 15)
  for (const n of [2, 3, 4, 5]) await push('sync_tasks', `sync-${n}`, 0)
  const begun = () => linesOf(join(daemon.dir, 'begun'))
  await waitFor(() => begun().length === 8, { what: 'eight run' })
  return ids
}

const ended = (daemon: TestDaemon) => linesOf(join(daemon.dir, 'ended'))

async function allRan(daemon: TestDaemon, ids: readonly string[]): Promise<void> {
  await waitFor(() => ended(daemon).length >= ids.length, {
    timeoutMs: 120_000,
    what: 'all have run',
  })
  await waitFor(async () => (await failLog(daemon)).length > 0, { what: 'the failure is kept' })
}

async function factsOf(daemon: TestDaemon) {
  return {
    overlaps: linesOf(join(daemon.dir, 'overlaps')),
    begun: linesOf(join(daemon.dir, 'begun')).toSorted(),
    ended: ended(daemon).toSorted(),
    syncOrder: ended(daemon).filter(id => id.startsWith('sync')),
    failLog: await failLog(daemon),
  }
}

describe.concurrent('Redis is away for longer than a lock used to hold', () => {
  it.each([
    ['frozen', (server: TestServer) => server.freeze(), (server: TestServer) => server.thaw()],
    ['KILLed', (server: TestServer) => server.kill(), (server: TestServer) => server.restart()],
  ] as const)(
    '%s: nothing runs twice, and the order stays',
    { timeout: AWAY_MS + 240_000 },
    async (_, leave, comeBack) => {
      await using server = await startRedis({ args: ['--appendonly', 'yes'] })
      await using daemon = await startDaemon({ taskd: { redis: server.url } })
      const ids = await load(daemon, server)
      await leave(server)
      await delay(AWAY_MS)
      await comeBack(server)
      await allRan(daemon, ids)
      expect(await factsOf(daemon)).toEqual({
        overlaps: [],
        begun: ids.toSorted(),
        ended: ids.toSorted(),
        syncOrder: [1, 2, 3, 4, 5].map(n => `sync-${n}`),
        failLog: ['fails 1'],
      })
    },
  )
})
