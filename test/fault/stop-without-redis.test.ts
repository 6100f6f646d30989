import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  type Ended,
  linesOf,
  newDaemon,
  redisClient,
  startDaemon,
  type TestDaemon,
} from '../support/daemon.ts'
import { startRedis } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

/** The limits of a user, under which each part could take its time. */
const USUAL = { stop_wait: '30s', kill_wait: '10s' }
/** 3 to 5 s on an idle machine; it was 25 to 54 s when each part waited in its turn. */
const SOON_MS = 12_000

const isAway = (daemon: TestDaemon) =>
  waitFor(async () => !(await daemon.status()).redis.ok, { what: 'Redis is away' })

/** In how long it ended, in good order and with nothing left behind. */
async function stopTime(daemon: TestDaemon, stop: () => Promise<unknown>): Promise<number> {
  const begin = performance.now()
  await stop()
  const ended: Ended = await daemon.ended
  expect(ended).toEqual({ code: 0, signal: null })
  expect(daemon.processes()).toEqual([])
  return performance.now() - begin
}

const HELD = `#!/bin/sh
echo "$TASKD_TASK_ID $TASKD_ATTEMPT" >> "$1/begun"
while [ ! -e "$1/go" ]; do sleep 0.05; done
echo "$TASKD_TASK_ID" >> "$1/done"
`

describe.concurrent('an idle daemon without Redis stops within seconds', () => {
  it.each(['killed', 'frozen'] as const)('its own address, the server is %s', async how => {
    await using server = await startRedis()
    await using daemon = await startDaemon({ taskd: { redis: server.url, ...USUAL } })
    if (how === 'killed') await server.kill()
    else {
      await daemon.control.drain()
      server.freeze()
    }
    await isAway(daemon)
    // The control socket gives up on it after 15 s.
    daemon.configure({
      taskd: { redis: server.url, ...USUAL },
      ini: '[queue:more]\nmode = async\n[relay:far]\nlist = l\nredis = redis://127.0.0.1:1/0\n',
    })
    expect(await daemon.control.reload()).toMatchObject({ applied: true, problems: [] })
    expect(await stopTime(daemon, () => daemon.stop())).toBeLessThan(SOON_MS)
    if (how === 'frozen') server.thaw()
  })

  it('also in a hurry', async () => {
    await using server = await startRedis()
    await using daemon = await startDaemon({ taskd: { redis: server.url, ...USUAL } })
    server.freeze()
    await isAway(daemon)
    const hurry = () => daemon.control.shutdown({ hurry: true, kill: false, restart: false })
    expect(await stopTime(daemon, hurry)).toBeLessThan(SOON_MS)
    server.thaw()
  })

  it('and the server that it runs itself, which is frozen', async () => {
    await using daemon = await startDaemon({ taskd: USUAL })
    const redis = (await daemon.status()).programs.find(one => one.name === 'redis')
    process.kill(redis?.pid ?? 0, 'SIGSTOP')
    await isAway(daemon)
    expect(await stopTime(daemon, () => daemon.stop())).toBeLessThan(SOON_MS)
  })

  it('and loses nothing: what waited runs once after the next start', async () => {
    await using server = await startRedis()
    await using daemon = await startDaemon({ taskd: { redis: server.url, ...USUAL } })
    using redis = redisClient(server.path)
    const script = daemon.script('held.sh', HELD)
    const ids = Array.from({ length: 20 }, (_, n) => `t${n}`)
    await daemon.cli('pause', 'sync_tasks', 'async_tasks')
    for (const [n, id] of ids.entries())
      await redis.lpush(
        n % 2 ? 'sync_tasks' : 'async_tasks',
        JSON.stringify({ script, controller: daemon.dir, unique_task_id: id }),
      )
    const waiting = async () =>
      (await daemon.status()).queues.reduce((sum, one) => sum + (one.waiting ?? 0), 0)
    await waitFor(async () => (await waiting()) === 20, { what: 'all wait' })
    // What the workers ask for while it is frozen they may still be given when they are gone.
    server.freeze()
    const resumed = daemon.cli('resume', 'sync_tasks', 'async_tasks')
    await isAway(daemon)
    await resumed
    expect(await stopTime(daemon, () => daemon.stop())).toBeLessThan(SOON_MS)
    server.thaw()
    writeFileSync(join(daemon.dir, 'go'), '')
    await daemon.start()
    await daemon.cli('resume', 'sync_tasks', 'async_tasks')
    const done = () => linesOf(join(daemon.dir, 'done')).toSorted()
    await waitFor(() => done().length >= 20, { what: 'all have run' })
    expect(done()).toEqual(ids.toSorted())
  })
})

describe.concurrent('a daemon with a running task', () => {
  it('gives it stop_wait, and keeps its answer when Redis is back by then', async () => {
    await using server = await startRedis()
    await using daemon = await startDaemon({ taskd: { redis: server.url, ...USUAL } })
    using redis = redisClient(server.path)
    const script = daemon.script('held.sh', HELD)
    const task = { script, controller: daemon.dir, unique_task_id: 'x' }
    await redis.lpush('async_tasks', JSON.stringify(task))
    await waitFor(() => linesOf(join(daemon.dir, 'begun')).length === 1, { what: 'it runs' })
    server.freeze()
    await isAway(daemon)
    const stopped = daemon.stop()
    await waitFor(
      async () => {
        const { workers } = await daemon.status()
        return !workers.some(one => one.task_key === 'sync_tasks' && one.pid > 0)
      },
      { what: 'the idle worker has left' },
    )
    writeFileSync(join(daemon.dir, 'go'), '')
    await waitFor(() => linesOf(join(daemon.dir, 'done')).length === 1, { what: 'it has ended' })
    server.thaw()
    expect(await stopped).toEqual({ code: 0, signal: null })
    await daemon.start()
    await waitFor(async () => (await daemon.status()).redis.ok, { what: 'it is ready' })
    const [run] = await daemon.control.runs({ limit: 5 })
    expect(run).toMatchObject({ unique_task_id: 'x', attempt: 1, outcome: 'succ' })
    expect(linesOf(join(daemon.dir, 'begun'))).toEqual(['x 1'])
  })
})

describe.concurrent('taskd start while Redis is away', () => {
  const redis = 'unix:/nonexistent/redis.sock'
  const program = '[program:web]\ncommand = sleep 1000\nstartsecs = 0\n'

  it('is up within seconds, with a warning, when there are only programs', async () => {
    await using daemon = newDaemon({ taskd: { redis }, ini: program })
    const started = await daemon.cli('start')
    expect(started.code).toBe(0)
    expect(started.stdout).toMatch(/^taskd is up: pid \d+, log /)
    expect(started.stderr).toMatch(
      /^taskd: Redis is away \(.+\): programs run, tasks wait for it\n$/,
    )
    const status = await daemon.cli('status')
    expect(status.stdout).toMatch(/^taskd +WAITING/)
    expect(status.stdout).toMatch(/web +RUNNING/)
    expect((await daemon.cli('stop')).code).toBe(0)
    expect(daemon.processes()).toEqual([])
  })

  it('is ready as soon as Redis is there', async () => {
    await using server = await startRedis()
    await server.stop()
    await using daemon = newDaemon({ taskd: { redis: server.url }, ini: program })
    expect((await daemon.cli('start')).code).toBe(0)
    expect((await daemon.status()).state).toBe('waiting')
    await server.restart()
    await waitFor(async () => (await daemon.status()).state === 'running', { what: 'it is ready' })
    expect((await daemon.cli('push', 'async_tasks', '--script', '/bin/true', '--wait')).code).toBe(
      0,
    )
    expect((await daemon.cli('stop')).code).toBe(0)
  })
})
