import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import type { StoredFail } from '../../src/api/control.ts'
import type { Status } from '../../src/api/status.ts'
import { freePort } from '../support/agent.ts'
import { jsonOf, linesOf, newDaemon, redisClient, type TestDaemon } from '../support/daemon.ts'
import { startRedis } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

const MAXMEMORY = ['--maxmemory', '20mb', '--maxmemory-policy', 'noeviction']
const LONG = { timeoutMs: 240_000 }

const NOTE = `#!/bin/sh
echo "$TASKD_TASK_ID" >> "$1/done"
[ "$2" != fail ] || { echo "$TASKD_TASK_ID" >> "$1/failing"; exit 5; }
`

/** Pushes until Redis takes no more. @returns the ids that it took */
async function fill(redis: Redis, daemon: TestDaemon, from = 0): Promise<string[]> {
  const script = daemon.script('note.sh', NOTE)
  const param = 'x'.repeat(8000)
  const taken: string[] = []
  for (let n = from; ; n += 1) {
    const id = `task-${n}`
    const what = n % 100 === 7 ? 'fail' : ''
    const task = { script, controller: daemon.dir, function: what, param, unique_task_id: id }
    const queue = n % 10 === 0 ? 'sync_tasks' : 'async_tasks'
    const refused = await redis.lpush(queue, JSON.stringify(task)).then(
      () => '',
      (error: unknown) => String(error),
    )
    if (refused.includes('OOM')) return taken
    if (refused !== '') throw new Error(`not for its memory: ${refused}`)
    taken.push(id)
  }
}

async function expectFullTold(daemon: TestDaemon, port: number): Promise<void> {
  await waitFor(async () => (await daemon.status()).redis.full, { ...LONG, what: 'FULL is told' })
  const [status, why, doctor] = await Promise.all([
    daemon.cli('status'),
    daemon.cli('why', 'redis'),
    daemon.cli('doctor'),
  ])
  expect(status.code).toBe(3)
  expect(status.stdout).toMatch(/^redis +FULL +since .* MiB of 20 MiB used/m)
  expect(why.stdout).toMatch(/FULL[\s\S]* MiB of 20 MiB used/)
  expect(doctor.stdout).toMatch(/maxmemory[\s\S]*FULL: [\d.]+ MiB of 20 MiB used/)
  const ready = await fetch(`http://127.0.0.1:${port}/readyz`)
  expect(ready.status).toBe(503)
  expect(await ready.text()).toMatch(/FULL: [\d.]+ MiB of 20 MiB used/)
}

/** Everything has run once, and each failure is in fail_log: nothing waits anywhere. */
async function expectDrained(daemon: TestDaemon, ids: readonly string[]): Promise<void> {
  await waitFor(() => linesOf(join(daemon.dir, 'done')).length >= ids.length, {
    ...LONG,
    what: 'the queue has drained itself',
  })
  const done = linesOf(join(daemon.dir, 'done'))
  const doubled = done.filter((id, n) => done.indexOf(id) !== n)
  expect({ doubled, lost: ids.filter(id => !done.includes(id)) }).toEqual({ doubled: [], lost: [] })
  await waitFor(
    async () => {
      const { redis, database, queues } = await daemon.status()
      const left = queues.map(one =>
        one.unknown ? 1 : (one.listed ?? 0) + one.waiting + one.delayed + one.active,
      )
      return redis.ok && database.ok && database.backlog === 0 && left.every(one => one === 0)
    },
    { ...LONG, what: 'it is well and nothing waits' },
  )
  expect((await daemon.cli('status')).code).toBe(0)
  const fails = jsonOf(await daemon.cli('fails', '--json', '--limit', '1000')) as StoredFail[]
  const failing = linesOf(join(daemon.dir, 'failing'))
  expect(fails.map(one => one.unique_task_id).toSorted()).toEqual(failing.toSorted())
}

it('drains itself when the list alone has filled Redis before it was started', async () => {
  await using server = await startRedis({ args: MAXMEMORY })
  await using daemon = newDaemon({ taskd: { redis: server.url } })
  using client = redisClient(server.path)
  const ids = await fill(client, daemon)
  expect(ids.length).toBeGreaterThan(1000)
  await daemon.start()
  await expectDrained(daemon, ids)
})

it('says everywhere that Redis is full, takes what a person wants, and drains itself', async () => {
  await using server = await startRedis({ args: MAXMEMORY })
  const port = await freePort()
  await using daemon = newDaemon({ taskd: { redis: server.url, http: `127.0.0.1:${port}` } })
  using client = redisClient(server.path)
  await daemon.start()
  expect((await daemon.cli('pause', 'sync_tasks', 'async_tasks')).code).toBe(0)
  const ids = await fill(client, daemon)
  await expectFullTold(daemon, port)
  // What is on its way counts as well: when it has arrived there may be room for a few more.
  const script = join(daemon.dir, 'note.sh')
  const refused = await waitFor(
    async () => {
      ids.push(...(await fill(client, daemon, ids.length)))
      const task = ['--script', script, '--controller', daemon.dir, '--id', `task-${ids.length}`]
      const push = await daemon.cli('push', 'async_tasks', ...task, '--function', 'f')
      if (push.code === 0) ids.push(`task-${ids.length}`)
      return push.code !== 0 && push
    },
    { ...LONG, what: 'push is refused' },
  )
  expect(refused.code).toBe(1)
  expect(refused.stderr).toMatch(/FULL: [\d.]+ MiB of 20 MiB used/)
  const { queues } = jsonOf(await daemon.cli('status', '--json')) as Status
  expect(queues.find(one => one.task_key === 'async_tasks')?.paused).toBe(true)
  expect((await daemon.cli('resume', 'sync_tasks', 'async_tasks')).code).toBe(0)
  await expectDrained(daemon, ids)
})
