import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { jsonOf, linesOf, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'

const SCRIPT = `#!/bin/sh
echo "$TASKD_TASK_ID $TASKD_ATTEMPT" >> "$1/begun"
n=0
while [ ! -e "$1/go" ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done
echo "$TASKD_TASK_ID $TASKD_ATTEMPT" >> "$1/ended"
`

const place = (daemon: TestDaemon, name: string) => join(daemon.dir, name)
const lines = (daemon: TestDaemon, name: string) => linesOf(place(daemon, name))
const letGo = (daemon: TestDaemon) => writeFileSync(place(daemon, 'go'), '')
const says = (daemon: TestDaemon, text: string) =>
  waitFor(() => daemon.log().includes(text), { what: `the log says: ${text}` })

/** Pushes tasks that go on until they are let go, and resolves when all of them run. */
async function hold(daemon: TestDaemon, taskKey: string, ...ids: string[]): Promise<void> {
  const script = daemon.script('held.sh', SCRIPT)
  for (const id of ids)
    await daemon.push(taskKey, { script, controller: daemon.dir, unique_task_id: id })
  const isRunning = (id: string) => lines(daemon, 'begun').some(one => one.startsWith(`${id} `))
  await waitFor(() => ids.every(isRunning), { what: `${ids.join(', ')} run` })
}

it.each(['SIGTERM', 'SIGINT'] as const)(
  '%s lets running tasks end, takes no new ones, and leaves nothing behind',
  async signal => {
    await using daemon = await startDaemon()
    await hold(daemon, 'sync_tasks', 's')
    await hold(daemon, 'async_tasks', 'a', 'b')
    await daemon.push('sync_tasks', {
      script: place(daemon, 'held.sh'),
      controller: daemon.dir,
      unique_task_id: 'later',
    })
    daemon.signal(signal)
    await says(daemon, 'no new work is taken')
    expect((await daemon.status()).state).toBe('stopping')
    letGo(daemon)
    expect(await daemon.ended).toEqual({ code: 0, signal: null })
    expect(lines(daemon, 'ended').toSorted()).toEqual(['a 1', 'b 1', 's 1'])
    expect(daemon.processes()).toEqual([])
    for (const name of ['taskd.sock', 'taskd.pid', 'redis.sock'])
      expect(existsSync(join(daemon.dataDir, name))).toBe(false)
    await daemon.start()
    await waitFor(() => lines(daemon, 'ended').includes('later 1'), { what: 'the other one runs' })
    expect(lines(daemon, 'begun')).toHaveLength(4)
  },
)

it('what runs longer than stop_wait is ended, given back, and runs after the next start', async () => {
  await using daemon = await startDaemon({ taskd: { stop_wait: '1s' } })
  await hold(daemon, 'sync_tasks', 's')
  await hold(daemon, 'async_tasks', 'a')
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  expect(daemon.processes()).toEqual([])
  expect(lines(daemon, 'ended')).toEqual([])
  letGo(daemon)
  await daemon.start()
  await waitFor(() => lines(daemon, 'ended').length === 2, { what: 'both have run' })
  // To be stopped by us is nobody's failure and no attempt.
  expect(lines(daemon, 'ended').toSorted()).toEqual(['a 1', 's 1'])
  expect(jsonOf(await daemon.cli('fails', '--json'))).toEqual([])
})

it('a second TERM hurries: running tasks are given back at once and not lost', async () => {
  await using daemon = await startDaemon({ taskd: { stop_wait: '1h', kill_wait: '1s' } })
  await hold(daemon, 'sync_tasks', 's')
  await hold(daemon, 'async_tasks', 'a')
  daemon.signal('SIGTERM')
  await says(daemon, 'no new work is taken')
  daemon.signal('SIGTERM')
  expect(await daemon.ended).toEqual({ code: 0, signal: null })
  expect(daemon.processes()).toEqual([])
  expect(lines(daemon, 'ended')).toEqual([])
  letGo(daemon)
  await daemon.start()
  await waitFor(() => lines(daemon, 'ended').length === 2, { what: 'both have run' })
  await waitFor(async () => (await daemon.redis.keys('Task:List:*')).length === 0, {
    what: 'no row is left',
  })
})

it('taskd stop --now hurries too', async () => {
  await using daemon = await startDaemon({ taskd: { stop_wait: '1h' } })
  await hold(daemon, 'async_tasks', 'a')
  expect((await daemon.cli('stop', '--now')).code).toBe(0)
  expect(daemon.processes()).toEqual([])
  expect(lines(daemon, 'ended')).toEqual([])
})

it('a task that ignores TERM is KILLed after kill_wait when taskd stops', async () => {
  await using daemon = await startDaemon({ taskd: { stop_wait: '0s', kill_wait: '500ms' } })
  const script = daemon.script(
    'deaf.sh',
    `#!/bin/sh\ntrap '' TERM\necho x >> "$1/begun"\nn=0\nwhile [ $n -lt 60 ]; do sleep 1; n=$((n + 1)); done\n`,
  )
  await daemon.push('async_tasks', { script, controller: daemon.dir })
  await waitFor(() => lines(daemon, 'begun').length > 0, { what: 'it runs' })
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  expect(daemon.processes()).toEqual([])
})

it('stops although it has only just begun to start', async () => {
  await using daemon = await startDaemon()
  await daemon.stop()
  for (const text of ['redis runs', 'redis answers', 'ready']) {
    const before = daemon.log().length
    void daemon.spawn()
    await waitFor(() => daemon.log().slice(before).includes(text), { what: text })
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    expect(daemon.processes()).toEqual([])
  }
})

it('USR1 writes the state to the log', async () => {
  await using daemon = await startDaemon()
  daemon.signal('SIGUSR1')
  const line = await waitFor(
    () =>
      daemon
        .log()
        .split('\n')
        .find(one => one.includes(' state ')),
    { what: 'the state is in the log' },
  )
  expect(line).toContain('sync_tasks')
  expect(line).toContain(`"pid":${daemon.pid}`)
})

it('USR2 opens the log file anew, after logrotate has moved it', async () => {
  await using daemon = await startDaemon({ taskd: { log_file: '../taskd.log' } })
  const file = place(daemon, 'taskd.log')
  await waitFor(() => lines(daemon, 'taskd.log').length > 0, { what: 'there is a log' })
  renameSync(file, `${file}.1`)
  daemon.signal('SIGUSR2')
  await waitFor(() => existsSync(file), { what: 'a new file' })
  daemon.signal('SIGUSR1')
  await waitFor(() => lines(daemon, 'taskd.log').some(one => one.includes(' state ')), {
    what: 'the new file is written to',
  })
  expect(lines(daemon, 'taskd.log.1').some(one => one.includes(' state '))).toBe(false)
})

it('a log on a full disk holds up nobody, not even the stop', async () => {
  await using daemon = await startDaemon({ taskd: { log_file: '/dev/full' } })
  await hold(daemon, 'async_tasks', 'a')
  letGo(daemon)
  await waitFor(() => lines(daemon, 'ended').length === 1, { what: 'tasks run' })
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  expect(daemon.processes()).toEqual([])
})

it('HUP at a terminal does not reach the workers', async () => {
  await using daemon = await startDaemon()
  await hold(daemon, 'async_tasks', 'a')
  const worker = await daemon.worker('-async_tasks-1')
  process.kill(worker, 'SIGHUP')
  letGo(daemon)
  await waitFor(() => lines(daemon, 'ended').length === 1, { what: 'the task ends' })
  expect(await daemon.worker('-async_tasks-1')).toBe(worker)
})
