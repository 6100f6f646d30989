import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import type { StoredFail } from '../../src/api/control.ts'
import type { Status } from '../../src/api/status.ts'
import { isAlive, startTimeOf } from '../../src/lib/proc.ts'
import {
  gone,
  jsonOf,
  linesOf,
  newDaemon,
  redisClient,
  startDaemon,
  type TestDaemon,
} from '../support/daemon.ts'
import { startMariaDb, startRedis } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

const OUTAGE_MS = 20_000

const NOTE = `#!/bin/sh
echo "$TASKD_TASK_ID" >> "$1/done"
exit "\${2:-0}"
`
const HELD = `#!/bin/sh
echo "$TASKD_TASK_ID $TASKD_ATTEMPT $$" >> "$1/begun"
n=0
while [ ! -e "$1/go" ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n + 1)); done
echo "$TASKD_TASK_ID" >> "$1/done"
`

const done = (daemon: TestDaemon) => linesOf(join(daemon.dir, 'done'))
const begun = (daemon: TestDaemon) => linesOf(join(daemon.dir, 'begun'))
const letGo = (daemon: TestDaemon) => writeFileSync(join(daemon.dir, 'go'), '')
const ids = (name: string, count: number) => Array.from({ length: count }, (_, n) => `${name}${n}`)

async function push(
  redis: Redis,
  daemon: TestDaemon,
  text: string,
  names: readonly string[],
  code = '',
): Promise<void> {
  const script = daemon.script(text === HELD ? 'held.sh' : 'note.sh', text)
  for (const id of names) {
    const task = { script, controller: daemon.dir, function: code, unique_task_id: id }
    await redis.lpush(id.length % 2 ? 'sync_tasks' : 'async_tasks', JSON.stringify(task))
  }
}

/** What status says during an outage: without waiting for its end, with a reason, and exit code 3. */
async function expectAway(daemon: TestDaemon, part: 'redis' | 'database'): Promise<Status> {
  const begin = performance.now()
  const answer = await daemon.cli('status', '--json')
  expect(performance.now() - begin).toBeLessThan(10_000)
  expect(answer.code).toBe(3)
  const status = jsonOf(answer) as Status
  expect(status[part].ok).toBe(false)
  expect(status[part].error).not.toBe('')
  return status
}

/** The database is asked less and less often while it is away, at last each 30 s. */
const notices = (daemon: TestDaemon, part: 'redis' | 'database', ok: boolean) =>
  waitFor(async () => (await daemon.status())[part].ok === ok, {
    timeoutMs: part === 'redis' ? 15_000 : 45_000,
    what: `status says that ${part} is ${ok ? 'back' : 'away'}`,
  })

/** Within a second on an idle machine; the slowest way, a wait that was cut off, takes 8 s. */
const allDone = (daemon: TestDaemon, names: readonly string[]) =>
  waitFor(() => missing(daemon, names).length === 0, {
    timeoutMs: 20_000,
    what: `${names.length} tasks have run`,
  }).catch((error: unknown) => {
    throw new Error(`missing: ${missing(daemon, names).join()}`, { cause: error })
  })

const missing = (daemon: TestDaemon, names: readonly string[]) => {
  const have = new Set(done(daemon))
  return names.filter(name => !have.has(name))
}

/** Each exactly once. */
const expectOnce = (daemon: TestDaemon, names: readonly string[]) =>
  expect(done(daemon).toSorted()).toEqual([...names].toSorted())

// Most of it is waiting for outages to pass, so they pass side by side.
describe.concurrent('the daemon lives through', { timeout: 150_000 }, () => {
  it('a Redis that is stopped for 20 s', async () => {
    await using server = await startRedis({ args: ['--appendonly', 'yes'] })
    await using daemon = await startDaemon({ taskd: { redis: server.url } })
    using redis = redisClient(server.path)
    await push(redis, daemon, HELD, ['running', 'running1'])
    await waitFor(() => begun(daemon).length === 2, { what: 'two run' })
    const { pid } = daemon
    const before = ids('before', 20)
    await push(redis, daemon, NOTE, before)
    await server.stop()
    await notices(daemon, 'redis', false)
    await expectAway(daemon, 'redis')
    const refused = await daemon.cli('push', 'async_tasks', '--script', '/bin/true')
    expect(refused.code).toBe(1)
    letGo(daemon)
    await delay(OUTAGE_MS)
    expect((await expectAway(daemon, 'redis')).pid).toBe(pid)
    await server.restart()
    await notices(daemon, 'redis', true)
    const after = ids('after', 20)
    await push(redis, daemon, NOTE, after)
    const all = ['running', 'running1', ...before, ...after]
    await allDone(daemon, all)
    expectOnce(daemon, all)
    expect((await daemon.cli('status')).code).toBe(0)
    expect(daemon.pid).toBe(pid)
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    expect(daemon.processes()).toEqual([])
  })

  it('a Redis that is frozen for 20 s, and runs nothing twice', async () => {
    await using server = await startRedis()
    await using daemon = await startDaemon({ taskd: { redis: server.url } })
    using redis = redisClient(server.path)
    await push(redis, daemon, HELD, ['longer', 'longer1'])
    await waitFor(() => begun(daemon).length === 2, { what: 'two run' })
    const before = ids('before', 20)
    await push(redis, daemon, NOTE, before)
    server.freeze()
    await notices(daemon, 'redis', false)
    await expectAway(daemon, 'redis')
    letGo(daemon)
    await delay(OUTAGE_MS)
    await expectAway(daemon, 'redis')
    server.thaw()
    await notices(daemon, 'redis', true)
    const after = ids('after', 20)
    await push(redis, daemon, NOTE, after)
    const all = ['longer', 'longer1', ...before, ...after]
    await allDone(daemon, all)
    expectOnce(daemon, all)
    expect(begun(daemon)).toHaveLength(2)
  })

  it('a Redis that stays frozen while taskd is told to stop', async () => {
    await using server = await startRedis()
    await using daemon = await startDaemon({ taskd: { redis: server.url, stop_wait: '1s' } })
    server.freeze()
    await notices(daemon, 'redis', false)
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    expect(daemon.processes()).toEqual([])
    server.thaw()
  })

  it('a Redis that was not there when it started', async () => {
    await using server = await startRedis()
    await server.stop()
    await using daemon = newDaemon({ taskd: { redis: server.url } })
    void daemon.spawn()
    await waitFor(async () => (await daemon.status()).state === 'starting', { what: 'it starts' })
    await expectAway(daemon, 'redis')
    await server.restart()
    await daemon.ready()
    using redis = redisClient(server.path)
    await push(redis, daemon, NOTE, ['x'])
    await allDone(daemon, ['x'])
    expect(done(daemon)).toEqual(['x'])
  })

  it('FLUSHALL while tasks flow and a schedule runs', async () => {
    await using server = await startRedis()
    await using daemon = newDaemon({ taskd: { redis: server.url } })
    const tick = daemon.script('tick.sh', '#!/bin/sh\necho t >> "$1/ticks"\n')
    daemon.configure({
      taskd: { redis: server.url },
      ini: `[tick]\ntask_key = async_tasks\nrun_time = * * * * * *\nscript = ${tick}\ncontroller = ${daemon.dir}\n`,
    })
    await daemon.start()
    using redis = redisClient(server.path)
    for (let round = 0; round < 5; round += 1) {
      await push(redis, daemon, NOTE, ids(`r${round}`, 20))
      await push(redis, daemon, HELD, [`h${round}`])
      await waitFor(() => begun(daemon).length > round, { what: 'one runs' })
      await redis.flushall()
      letGo(daemon)
      await waitFor(() => done(daemon).includes(`h${round}`), { what: 'what runs goes on' })
    }
    const after = ids('after', 20)
    await push(redis, daemon, NOTE, after)
    await allDone(daemon, after)
    const ticks = linesOf(join(daemon.dir, 'ticks')).length
    await waitFor(() => linesOf(join(daemon.dir, 'ticks')).length > ticks + 1, {
      what: 'the schedule goes on',
    })
    // Rows come back with the next heartbeat.
    await waitFor(async () => (await redis.keys('Task:*orker:*')).length === 2, {
      timeoutMs: 15_000,
      what: 'the workers have their rows',
    })
    expect((await daemon.cli('status')).code).toBe(0)
  })

  it('a database that was not there at the start, and went away later', async () => {
    await using sql = await startMariaDb()
    await sql.stop()
    await using daemon = await startDaemon({ taskd: { database: sql.url } })
    const first = ids('first', 30)
    await push(daemon.redis, daemon, NOTE, first, '3')
    await allDone(daemon, first)
    await waitFor(async () => (await daemon.status()).database.backlog === 30, {
      timeoutMs: 20_000,
      what: 'status shows the backlog',
    })
    await expectAway(daemon, 'database')
    await sql.restart()
    await waitFor(async () => (await archived(daemon)).length === 30, {
      timeoutMs: 45_000,
      what: 'all are archived',
    })
    await notices(daemon, 'database', true)
    await sql.kill()
    const second = ids('second', 30)
    await push(daemon.redis, daemon, NOTE, second, '4')
    await allDone(daemon, second)
    await notices(daemon, 'database', false)
    await sql.restart()
    await waitFor(async () => (await archived(daemon)).length >= 60, {
      timeoutMs: 45_000,
      what: 'the others are archived',
    })
    const rows = await archived(daemon)
    expect(rows.map(row => row.unique_task_id).toSorted()).toEqual([...first, ...second].toSorted())
    await waitFor(async () => (await daemon.redis.xlen('Task:Outbox')) === 0, {
      what: 'nothing waits any more',
    })
    expect((await daemon.cli('status')).code).toBe(0)
  })

  it('a worker that is frozen: it is found out and replaced, and its task runs again', async () => {
    await using daemon = await startDaemon()
    await push(daemon.redis, daemon, HELD, ['task'])
    await waitFor(() => begun(daemon).length === 1, { what: 'it runs' })
    const pid = Number(begun(daemon)[0]?.split(' ')[2])
    const run = { pid, startTime: startTimeOf(pid) ?? 0 }
    const worker = await daemon.worker('-async_tasks-1')
    process.kill(worker, 'SIGSTOP')
    await gone(worker, 90_000)
    await waitFor(() => begun(daemon).length === 2, { what: 'its task runs again' })
    expect(isAlive(run)).toBe(false)
    letGo(daemon)
    await allDone(daemon, ['task'])
    expectOnce(daemon, ['task'])
    expect(begun(daemon)[1]).toMatch(/^task 2 /)
    expect(existsSync(join(daemon.dataDir, 'taskd.sock'))).toBe(true)
  })
})

async function archived(daemon: TestDaemon): Promise<StoredFail[]> {
  const answer = await daemon.cli('fails', '--json', '--limit', '1000')
  return answer.code === 0 ? (jsonOf(answer) as StoredFail[]) : []
}
