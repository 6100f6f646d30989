import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'bullmq'
import { describe, expect, it } from 'vitest'
import type { StoredFail } from '../../src/api/control.ts'
import { bootId, isAlive, startTimeOf } from '../../src/lib/proc.ts'
import { toJobId } from '../../src/queue/job-id.ts'
import {
  gone,
  jsonOf,
  killNow,
  linesOf,
  newDaemon,
  redisClient,
  startDaemon,
  type TestDaemon,
} from '../support/daemon.ts'
import { begun, ended, holdOne, letGo, task } from '../support/held-task.ts'
import { startRedis } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

/** The child of a child, in the same group, deaf to TERM. */
const STUBBORN = `#!/bin/sh
trap '' TERM
(
  trap '' TERM
  sh -c 'trap "" TERM; echo $$ >> "$0/pids"; while :; do sleep 1; done' "$1" &
  wait
) &
echo $$ >> "$1/pids"
wait
`

describe('a worker is KILLed', () => {
  it('its running task is given back at once and runs again as the next attempt', async () => {
    await using daemon = await startDaemon()
    const run = await holdOne(daemon, 'async_tasks', 'a')
    const worker = await daemon.worker('-async_tasks-1')
    process.kill(worker, 'SIGKILL')
    await waitFor(() => begun(daemon).length === 2, { what: 'it runs again' })
    expect(isAlive(run)).toBe(false)
    expect(begun(daemon).map(one => one.slice(0, 2))).toEqual([
      ['a', '1'],
      ['a', '2'],
    ])
    // Written beside the run, which does not wait for it.
    const attempts = async () => {
      const rows = await daemon.redis.keys('Task:List:*')
      return Promise.all(rows.map(row => daemon.redis.hget(row, 'attempt')))
    }
    await waitFor(async () => (await attempts()).join() === '2', { what: 'its one row' })
    expect(await daemon.worker('-async_tasks-1')).not.toBe(worker)
    letGo(daemon)
    await waitFor(() => ended(daemon).length > 0, { what: 'it ends' })
    expect(ended(daemon)).toEqual(['a 2'])
    await waitFor(async () => (await daemon.redis.keys('Task:List:*')).length === 0, {
      what: 'its row is gone',
    })
    expect(await fails(daemon)).toEqual([])
  })

  it('an idle worker is woken for its task, whatever holds up the successor', async () => {
    await using daemon = await startDaemon({ ini: '[queue:async_tasks]\nworkers = 2\n' })
    const script = daemon.script(
      'where.sh',
      '#!/bin/sh\necho "$TASKD_WORKER_ID" >> "$1/where"\nwhile [ ! -e "$1/go" ]; do sleep 0.05; done\n',
    )
    const where = () => linesOf(join(daemon.dir, 'where')).map(one => one.slice(-1))
    await daemon.push('async_tasks', { script, controller: daemon.dir, unique_task_id: 'w' })
    const [first = ''] = await waitFor(() => where().length === 1 && where(), { what: 'it runs' })
    const other = first === '1' ? '2' : '1'
    const markers = () => daemon.redis.exists('{taskd}:async_tasks:marker')
    await waitFor(async () => (await markers()) === 0, { what: 'the other one waits' })
    const workers = () => daemon.processes().filter(one => one.command.includes('workers/main'))
    const old = new Set(workers().map(one => one.pid))
    process.kill(await daemon.worker(`-async_tasks-${first}`), 'SIGKILL')
    const successor = await waitFor(() => workers().find(one => !old.has(one.pid)), {
      what: 'the successor',
    })
    process.kill(successor.pid, 'SIGSTOP')
    const held = performance.now()
    await waitFor(() => where().length === 2, { what: 'it runs again' })
    expect(performance.now() - held).toBeLessThan(2500)
    expect(where()).toEqual([first, other])
    process.kill(successor.pid, 'SIGCONT')
    letGo(daemon)
  })

  it('ends what its runs had started, down to a grandchild that ignores TERM', async () => {
    await using daemon = await startDaemon()
    const script = daemon.script('stubborn.sh', STUBBORN)
    await daemon.push('async_tasks', { script, controller: daemon.dir, unique_task_id: 's' })
    const pids = () => linesOf(join(daemon.dir, 'pids')).map(Number)
    await waitFor(() => pids().length === 2, { what: 'script and grandchild run' })
    const first = pids()
    process.kill(await daemon.worker('-async_tasks-1'), 'SIGKILL')
    for (const pid of first) await gone(pid)
    await waitFor(() => pids().length === 4, { what: 'the second run has started' })
    expect((await daemon.cli('cancel', 's')).code).toBe(0)
    for (const pid of pids()) await gone(pid)
  })

  it('a task that takes three workers down with it is buried in fail_log as lost', async () => {
    await using daemon = await startDaemon()
    // The script's parent is its worker.
    const script = daemon.script(
      'killer.sh',
      '#!/bin/sh\necho "$TASKD_ATTEMPT" >> "$1/killed"\nkill -KILL $PPID\nsleep 5\n',
    )
    const after = daemon.script('after.sh', '#!/bin/sh\necho after >> "$1/after"\n')
    await daemon.push('sync_tasks', { script, controller: daemon.dir, unique_task_id: 'killer' })
    await daemon.push('sync_tasks', { script: after, controller: daemon.dir })
    await waitFor(() => linesOf(join(daemon.dir, 'after')).length === 1, {
      timeoutMs: 30_000,
      what: 'the one behind it runs',
    })
    expect(linesOf(join(daemon.dir, 'killed'))).toEqual(['1', '2', '3'])
    const rows = await waitFor(
      async () => {
        const found = await fails(daemon)
        return found.length > 0 && found
      },
      { what: 'it is in fail_log' },
    )
    expect(rows).toMatchObject([{ unique_task_id: 'killer', kind: 'lost', attempt: 3 }])
    expect(rows[0]?.msg).toContain('died 3 times')
  })
})

it('a task that Redis handed out although its answer got lost runs all the same', async () => {
  await using daemon = await startDaemon()
  const { redis } = daemon
  await holdOne(daemon, 'sync_tasks', 'a')
  await daemon.push('sync_tasks', task(daemon, 'b'))
  await waitFor(
    async () => (await daemon.status()).queues.find(one => one.task_key === 'sync_tasks')?.waiting,
    { what: 'b waits' },
  )
  // Taken in the name of the worker, which hears nothing of it; then its connections break.
  const lock = await redis.get(`{taskd}:sync_tasks:${toJobId('a')}:lock`)
  const options = { connection: redis, prefix: '{taskd}', autorun: false }
  const taker = new Worker('sync_tasks', null, options)
  const taken = await waitFor(() => taker.getNextJob((lock ?? '').replace(/:\d+$/, ':77')), {
    what: 'b is taken',
  })
  expect(taken.id).toBe(toJobId('b'))
  await taker.close()
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal')
  letGo(daemon)
  await waitFor(() => ended(daemon).length === 2, { what: 'both end' })
  expect(ended(daemon)).toEqual(['a 1', 'b 1'])
})

describe('the master is KILLed', () => {
  it('workers finish what runs and leave; the next master starts no second copy', async () => {
    await using daemon = await startDaemon()
    await holdOne(daemon, 'sync_tasks', 's')
    await holdOne(daemon, 'async_tasks', 'a')
    await daemon.push('sync_tasks', task(daemon, 'next'))
    const old = [await daemon.worker('-sync_tasks-1'), await daemon.worker('-async_tasks-1')]
    await daemon.kill()
    await daemon.start()
    // A sync queue stays in order: its new worker waits for the old one.
    const sync = (await daemon.status()).workers.find(one => one.kind === 'sync')
    expect(sync).toMatchObject({ state: 'STARTING' })
    expect(sync?.detail).toContain(`waits for pid ${old[0]}`)
    for (const pid of old) expect(startTimeOf(pid)).toBeDefined()
    expect(begun(daemon)).toHaveLength(2)
    letGo(daemon)
    for (const pid of old) await gone(pid)
    await waitFor(() => ended(daemon).includes('next 1'), { what: 'the waiting one runs' })
    expect(ended(daemon).toSorted()).toEqual(['a 1', 'next 1', 's 1'])
    expect(begun(daemon)).toHaveLength(3)
    expect(await fails(daemon)).toEqual([])
  })

  it('its Redis is replaced by one on the same data, and nothing is lost', async () => {
    await using daemon = await startDaemon({ ini: '[queue:later]\nmode = async\nworkers = 0\n' })
    await daemon.redis.set('mine', 'kept')
    const tasks = Array.from({ length: 200 }, (_, n) => task(daemon, `k${n}`))
    await daemon.push('later', ...tasks)
    await waitFor(async () => (await waiting(daemon)) === 200, { what: 'all wait' })
    const [server] = redisPids(daemon)
    await daemon.redis.set('last', 'word')
    await daemon.kill()
    expect(startTimeOf(server ?? 0)).toBeDefined()
    await daemon.start()
    await gone(server ?? 0)
    expect(redisPids(daemon)).toHaveLength(1)
    expect(await daemon.redis.mget('mine', 'last')).toEqual(['kept', 'word'])
    await waitFor(async () => (await waiting(daemon)) === 200, { what: 'all wait as before' })
  })

  it('a run that its worker is still finishing can be cancelled by the next master', async () => {
    await using daemon = await startDaemon()
    const run = await holdOne(daemon, 'async_tasks', 'a')
    await daemon.kill()
    await daemon.start()
    expect(isAlive(run)).toBe(true)
    const { code, stdout } = await daemon.cli('cancel', 'a')
    expect([code, stdout]).toEqual([0, 'a: told to end\n'])
    await gone(run.pid)
    const [row] = await waitFor(
      async () => {
        const found = await fails(daemon)
        return found.length > 0 && found
      },
      { what: 'it is in fail_log' },
    )
    expect(row).toMatchObject({ unique_task_id: 'a', kind: 'cancelled', attempt: 1 })
    expect(begun(daemon)).toHaveLength(1)
  })

  it('master, workers and Redis KILLed at once: the next start runs everything', async () => {
    await using daemon = await startDaemon()
    const runs = [
      await holdOne(daemon, 'sync_tasks', 's'),
      await holdOne(daemon, 'async_tasks', 'a'),
    ]
    await daemon.push('sync_tasks', task(daemon, 'w'))
    const ours = /workers\/main|redis-server|cli\/main\.js start/
    const victims = daemon.processes().filter(one => ours.test(one.command))
    expect(victims).toHaveLength(4)
    for (const { pid } of victims) killNow(pid)
    await daemon.ended
    // Their launchers end them: nobody else may be there before other nodes take the tasks.
    await waitFor(() => !runs.some(isAlive), { what: 'the runs have ended' })
    await daemon.start()
    await waitFor(() => begun(daemon).length === 4, { what: 'both run again' })
    for (const run of runs) expect(isAlive(run)).toBe(false)
    letGo(daemon)
    await waitFor(() => ended(daemon).length === 3, { what: 'all end' })
    expect(ended(daemon).toSorted()).toEqual(['a 2', 's 2', 'w 1'])
  })

  it('a run that ended while Redis was away is not run again, although all died before it was told', async () => {
    await using server = await startRedis({ args: ['--appendonly', 'yes'] })
    await using daemon = newDaemon({ taskd: { redis: server.url } })
    using redis = redisClient(server.path)
    await daemon.start()
    for (const id of ['a', 'b'])
      await redis.lpush(
        'async_tasks',
        JSON.stringify({ ...task(daemon, id), reply_to: `re:${id}` }),
      )
    await waitFor(() => begun(daemon).length === 2, { what: 'both run' })
    server.freeze()
    letGo(daemon)
    const kept = () =>
      readdirSync(join(daemon.dataDir, 'verdicts')).filter(one => one.endsWith('.json'))
    await waitFor(() => kept().length === 2, { what: 'their verdicts are on disk' })
    for (const { pid } of daemon.processes()) killNow(pid)
    await daemon.ended
    server.thaw()
    await daemon.start()
    for (const id of ['a', 'b']) {
      const [, answer] = (await redis.blpop(`re:${id}`, 30)) ?? []
      expect(JSON.parse(answer ?? '')).toMatchObject({ code: 'succ', unique_task_id: id })
    }
    await waitFor(() => kept().length === 0, { what: 'they are told' })
    expect(begun(daemon)).toHaveLength(2)
    expect(await redis.zcard('{taskd}:async_tasks:completed')).toBe(2)
    expect(await redis.llen('{taskd}:async_tasks:active')).toBe(0)
  })

  it('tasks of an earlier boot are given back, even when their pid is in use again', async () => {
    await using server = await startRedis()
    await using daemon = newDaemon({ taskd: { redis: server.url } })
    using redis = redisClient(server.path)
    await daemon.start()
    await redis.lpush('async_tasks', JSON.stringify(task(daemon, 'b')))
    await waitFor(() => begun(daemon).length === 1, { what: 'it runs' })
    for (const { pid } of daemon.processes()) killNow(pid)
    await daemon.ended
    // As if the machine had started anew, and this process had got the worker's pid.
    const lock = `{taskd}:async_tasks:${toJobId('b')}:lock`
    const owner = await redis.get(lock)
    expect(owner).toContain(`.${bootId().slice(0, 8)}.`)
    const other = `.0123abcd.${process.pid}.${startTimeOf(process.pid)}:`
    await redis.set(lock, owner?.replace(/\.[^.]+\.\d+\.\d+:/, other) ?? '', 'PX', 120_000)
    expect(await redis.get(lock)).toContain(other)
    await daemon.start()
    await waitFor(() => begun(daemon).length === 2, { what: 'it runs again' })
    expect(begun(daemon)[1]?.slice(0, 2)).toEqual(['b', '2'])
  })

  it('a worker that lives keeps its task when another one dies', async () => {
    await using daemon = await startDaemon()
    const run = await holdOne(daemon, 'async_tasks', 'x')
    // Another worker's death makes the master look at everybody's tasks.
    process.kill(await daemon.worker('-sync_tasks-1'), 'SIGKILL')
    await waitFor(
      async () => (await daemon.status()).workers.find(one => one.kind === 'sync')?.restart_num,
      { what: 'the killed one is back' },
    )
    await daemon.push('sync_tasks', task(daemon, 'y'))
    await waitFor(() => begun(daemon).length === 2, { what: 'the other queue runs' })
    expect(isAlive(run)).toBe(true)
    letGo(daemon)
    await waitFor(() => ended(daemon).length === 2, { what: 'both end' })
    expect(ended(daemon).toSorted()).toEqual(['x 1', 'y 1'])
  })
})

async function fails(daemon: TestDaemon): Promise<StoredFail[]> {
  return jsonOf(await daemon.cli('fails', '--json')) as StoredFail[]
}

async function waiting(daemon: TestDaemon): Promise<number | null | undefined> {
  return (await daemon.status()).queues.find(one => one.task_key === 'later')?.waiting
}

function redisPids(daemon: TestDaemon): number[] {
  const servers = daemon.processes().filter(one => one.command.startsWith('redis-server'))
  expect(readFileSync(join(daemon.dataDir, 'redis', 'redis.pid'), 'utf8').trim()).toBe(
    String(servers.at(-1)?.pid),
  )
  return servers.map(one => one.pid)
}
