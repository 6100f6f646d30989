import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { StoredFail } from '../../src/api/control.ts'
import type { Status } from '../../src/api/status.ts'
import { toJobId } from '../../src/queue/job-id.ts'
import { jsonOf, linesOf, newDaemon, type TestDaemon } from '../support/daemon.ts'
import { smallDisk } from '../support/small-disk.ts'
import { waitFor } from '../support/wait.ts'

const SCRIPT = `#!/bin/sh
echo "$TASKD_TASK_ID $TASKD_ATTEMPT" >> "$1/begun"
n=0
while [ "$2" = held ] && [ ! -e "$1/go" ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n + 1)); done
echo "$TASKD_TASK_ID" >> "$1/ended"
[ "$2" != fail ] || exit 5
`

it('lives through a full disk, says so, and goes on by itself when there is room', async () => {
  await using disk = smallDisk('24m')
  const dataDir = join(disk.path, 'data')
  mkdirSync(dataDir)
  // The log lies on the full disk too.
  await using daemon = newDaemon({
    dataDir,
    taskd: { log_file: join(dataDir, 'log', 'taskd.log') },
  })
  await daemon.start()
  const script = daemon.script('note.sh', SCRIPT)
  const task = (id: string, kind = '') => ({
    script,
    controller: daemon.dir,
    function: kind,
    unique_task_id: id,
  })
  const ended = () => linesOf(join(daemon.dir, 'ended'))
  await daemon.push('async_tasks', task('before'), task('failed-before', 'fail'))
  await daemon.push('async_tasks', task('held', 'held'))
  await daemon.push('sync_tasks', task('held-sync', 'held'))
  await waitFor(() => linesOf(join(daemon.dir, 'begun')).length === 4, { what: 'two are held' })
  const { pid } = daemon
  const workers = await pids(daemon)

  const ballast = disk.fill()
  const refused = await waitFor(
    () =>
      daemon.redis.lpush('async_tasks', JSON.stringify(task('refused'))).then(
        () => '',
        (error: unknown) => String(error),
      ),
    { timeoutMs: 20_000, what: 'Redis refuses what it cannot keep' },
  )
  expect(refused).toContain('MISCONF')
  await waitFor(async () => !(await daemon.status()).redis.ok, { what: 'status says so' })
  const answer = await daemon.cli('status', '--json')
  expect(answer.code).toBe(3)
  const status = jsonOf(answer) as Status
  expect(status.redis.error).toContain('is the disk full?')
  expect(status.pid).toBe(pid)

  rmSync(ballast)
  await waitFor(async () => (await daemon.status()).redis.ok, {
    timeoutMs: 20_000,
    what: 'it is well again',
  })
  const after = Array.from({ length: 20 }, (_, n) => task(`after${n}`))
  await daemon.push('async_tasks', ...after, task('failed-after', 'fail'))
  daemon.script('go', '')
  await waitFor(() => ended().includes('failed-after') && ended().includes('after19'), {
    what: 'new tasks run',
  })
  await waitFor(() => ended().includes('held') && ended().includes('held-sync'), {
    what: 'what ran goes on',
  })
  await waitFor(async () => (await fails(daemon)).length === 2, {
    timeoutMs: 30_000,
    what: 'both failures are in fail_log',
  })
  expect((await fails(daemon)).map(row => row.unique_task_id)).toEqual([
    'failed-after',
    'failed-before',
  ])
  const lines = ended().filter(id => !id.startsWith('refused'))
  expect(lines.toSorted()).toEqual([...new Set(lines)].toSorted())
  expect(await pids(daemon)).toEqual(workers)
  expect((await daemon.cli('status')).code).toBe(0)
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  expect(daemon.processes()).toEqual([])
})

it('a task that ends while the disk is full keeps its verdict and is not run again', async () => {
  await using disk = smallDisk('24m')
  const dataDir = join(disk.path, 'data')
  mkdirSync(dataDir)
  await using daemon = newDaemon({ dataDir })
  await daemon.start()
  const script = daemon.script('note.sh', SCRIPT)
  const ended = () => linesOf(join(daemon.dir, 'ended'))
  const task = (id: string) => ({
    script,
    controller: daemon.dir,
    function: 'held',
    unique_task_id: id,
    time_interval: '1 1',
  })
  await daemon.push('async_tasks', task('a'))
  await daemon.push('sync_tasks', task('s'))
  await waitFor(() => linesOf(join(daemon.dir, 'begun')).length === 2, { what: 'both run' })
  const ballast = disk.fill()
  await waitFor(
    () =>
      daemon.redis.set('probe', 'x').then(
        () => false,
        () => true,
      ),
    { timeoutMs: 20_000, what: 'Redis refuses writes' },
  )
  daemon.script('go', '')
  await waitFor(() => ended().length === 2, { what: 'both end' })
  await waitFor(async () => !(await daemon.status()).redis.ok, { what: 'status says so' })
  rmSync(ballast)
  const states = () =>
    Promise.all([
      daemon.redis.zscore('{taskd}:async_tasks:completed', toJobId('a')),
      daemon.redis.zscore('{taskd}:sync_tasks:completed', toJobId('s')),
    ])
  await waitFor(async () => (await states()).every(score => score !== null), {
    timeoutMs: 30_000,
    what: 'both are settled as done',
  })
  expect(linesOf(join(daemon.dir, 'begun')).toSorted()).toEqual(['a 1', 's 1'])
  expect(await fails(daemon)).toEqual([])
  await waitFor(async () => (await daemon.redis.keys('Task:List:*')).length === 0, {
    timeoutMs: 15_000,
    what: 'their rows are gone with the next heartbeat, and not only with their lease',
  })
})

async function pids(daemon: TestDaemon): Promise<number[]> {
  return (await daemon.status()).workers.map(one => one.pid)
}

async function fails(daemon: TestDaemon): Promise<StoredFail[]> {
  const answer = await daemon.cli('fails', '--json')
  return answer.code === 0 ? (jsonOf(answer) as StoredFail[]) : []
}
