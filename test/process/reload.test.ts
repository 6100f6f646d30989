import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { ReloadReport } from '../../src/api/control.ts'
import { gone, jsonOf, linesOf, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'

const queue = (name: string, keys: Readonly<Record<string, string | number>>) =>
  `[queue:${name}]\n${Object.entries(keys)
    .map(([key, value]) => `${key} = ${value}\n`)
    .join('')}`

const job = (name: string, script: string, keys: Readonly<Record<string, string>> = {}) => {
  const all = { task_key: 'async_tasks', run_time: '0 0 1 1 *', script, ...keys }
  return `[${name}]\n${Object.entries(all)
    .map(([key, value]) => `${key} = ${value}\n`)
    .join('')}`
}

/** Pids of the workers, by the end of their names. */
async function pids(daemon: TestDaemon): Promise<Record<string, number>> {
  const { workers, node } = await daemon.status()
  const living = workers.filter(one => one.pid > 0)
  return Object.fromEntries(living.map(one => [one.name.slice(node.length + 1), one.pid]))
}

const has = (daemon: TestDaemon, count: number) =>
  waitFor(
    async () => {
      const found = await pids(daemon)
      return Object.keys(found).length === count && found
    },
    { what: `${count} workers run` },
  )

const says = (daemon: TestDaemon, text: string) =>
  waitFor(() => daemon.log().includes(text), { what: `the log says: ${text}` })

it('only the workers whose queue changed restart; plan says the same before', async () => {
  const one = queue('one', { mode: 'async', concurrency: 2 })
  await using daemon = await startDaemon({
    ini: one + queue('two', { mode: 'sync' }) + queue('three', { mode: 'async' }),
  })
  const before = await has(daemon, 5)
  const redis = (await daemon.status()).programs[0]?.pid
  daemon.configure({
    ini:
      queue('one', { mode: 'async', concurrency: 5 }) +
      queue('two', { mode: 'sync', period: '10ms' }) +
      queue('three', { mode: 'async', workers: 2 }) +
      queue('four', { mode: 'sync' }) +
      job('yearly', '/bin/true'),
  })
  const plan = await daemon.cli('plan')
  expect(plan.code).toBe(0)
  expect(await pids(daemon)).toEqual(before)
  const reload = await daemon.cli('reload')
  expect(reload.code).toBe(0)
  const changes = [
    'job yearly: added',
    'queue four: added',
    'queue one: changed live (concurrency)',
    'queue three: changed live (workers)',
    'queue two: its workers restart (period)',
  ]
  const linesIn = (text: string) => text.trim().split('\n').slice(0, -1).toSorted()
  expect(linesIn(plan.stdout)).toEqual(changes)
  expect(linesIn(reload.stdout)).toEqual(changes)
  const after = await waitFor(
    async () => {
      const now = await has(daemon, 7)
      return now['two-1'] !== before['two-1'] && now
    },
    { what: 'the changed queue has a new worker' },
  )
  const kept = ['sync_tasks-1', 'async_tasks-1', 'one-1', 'three-1']
  for (const name of kept) expect([name, after[name]]).toEqual([name, before[name]])
  expect(Object.keys(after).toSorted()).toEqual([...kept, 'two-1', 'three-2', 'four-1'].toSorted())
  const status = await daemon.status()
  expect(status.programs[0]?.pid).toBe(redis)
  expect(status.jobs.map(found => found.name)).toEqual(['yearly'])
  expect((await daemon.cli('plan')).stdout).toBe('nothing changes\n')
})

it('workers that people have stopped are not said to restart, and do not', async () => {
  const two = (period: string) => queue('two', { mode: 'async', workers: 2, period })
  await using daemon = await startDaemon({ ini: two('1ms') })
  const before = await has(daemon, 4)
  const { node } = await daemon.status()
  const changed = async (period: string) => {
    daemon.configure({ ini: two(period) })
    const { changes } = await daemon.control.plan()
    expect((await daemon.control.reload()).changes).toEqual(changes)
    return changes
  }
  expect((await daemon.cli('stop', `${node}-two-2`)).code).toBe(0)
  expect(await changed('2ms')).toEqual([
    'queue two: its workers restart, those that are stopped do not (period)',
  ])
  await waitFor(
    async () => {
      const now = await pids(daemon)
      return now['two-1'] !== undefined && now['two-1'] !== before['two-1'] && !now['two-2']
    },
    { what: 'the one that was not stopped has restarted' },
  )
  expect((await daemon.cli('stop', 'two')).code).toBe(0)
  expect(await changed('3ms')).toEqual(['queue two: takes effect when its workers start (period)'])
  expect(Object.keys(await has(daemon, 2))).not.toContain('two-1')
})

it('concurrency is in force for tasks that come after the reload', async () => {
  await using daemon = await startDaemon({ ini: queue('q', { mode: 'async', concurrency: 1 }) })
  const script = daemon.script(
    'held.sh',
    '#!/bin/sh\necho b >> "$1/begun"\nn=0\nwhile [ ! -e "$1/go" ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done\necho e >> "$1/ended"\n',
  )
  const message = { script, controller: daemon.dir }
  await daemon.push('q', message, message, message)
  await waitFor(() => linesOf(join(daemon.dir, 'begun')).length === 1, { what: 'one runs' })
  daemon.configure({ ini: queue('q', { mode: 'async', concurrency: 3 }) })
  expect((await daemon.cli('reload')).code).toBe(0)
  await waitFor(() => linesOf(join(daemon.dir, 'begun')).length === 3, { what: 'all three run' })
  writeFileSync(join(daemon.dir, 'go'), '')
  await waitFor(() => linesOf(join(daemon.dir, 'ended')).length === 3, { what: 'all three end' })
})

it('workers = is applied live by HUP, up and down', async () => {
  const ini = (workers: number) => queue('many', { mode: 'async', workers })
  await using daemon = await startDaemon({ ini: ini(1) })
  const before = await has(daemon, 3)
  daemon.configure({ ini: ini(3) })
  daemon.signal('SIGHUP')
  expect(await has(daemon, 5)).toMatchObject(before)
  daemon.configure({ ini: ini(0) })
  daemon.signal('SIGHUP')
  const { 'many-1': _gone, ...rest } = before
  expect(await has(daemon, 2)).toEqual(rest)
})

it('a file with a mistake changes nothing at all, and every mistake is shown', async () => {
  await using daemon = await startDaemon({ ini: queue('good', { mode: 'async' }) })
  const before = await has(daemon, 3)
  daemon.configure({
    taskd: { log_level: 'debug' },
    ini: queue('good', { mode: 'async', workers: 4 }) + queue('bad', { mode: 'odd', wrkers: 2 }),
  })
  const plan = await daemon.cli('plan', '--json')
  const reload = await daemon.cli('reload')
  expect([plan.code, reload.code]).toEqual([2, 2])
  const report = jsonOf(plan) as ReloadReport
  expect(report).toMatchObject({ applied: false, changes: [] })
  expect(report.problems.map(one => one.key)).toEqual(['mode', 'wrkers'])
  for (const text of ['mode = odd', 'wrkers', 'did you mean', 'nothing was changed: 2 mistakes'])
    expect(reload.stderr).toContain(text)
  daemon.signal('SIGHUP')
  await says(daemon, 'the configuration has mistakes; nothing was changed')
  expect(await pids(daemon)).toEqual(before)
  writeFileSync(daemon.config, Buffer.from([0xff, 0xfe, 0x00, 0x01, 0x5b]))
  expect((await daemon.cli('reload')).code).toBe(2)
  expect(await pids(daemon)).toEqual(before)
})

it('the workers of a removed queue finish and leave; its tasks stay for its return', async () => {
  const ini = queue('side', { mode: 'sync' })
  await using daemon = await startDaemon({ ini })
  const script = daemon.script(
    'held.sh',
    '#!/bin/sh\necho "$TASKD_TASK_ID" >> "$1/begun"\nn=0\nwhile [ ! -e "$1/go" ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done\necho "$TASKD_TASK_ID" >> "$1/ended"\n',
  )
  const message = (id: string) => ({ script, controller: daemon.dir, unique_task_id: id })
  await daemon.push('side', message('first'))
  await waitFor(() => linesOf(join(daemon.dir, 'begun')).length === 1, { what: 'it runs' })
  await daemon.push('side', message('second'))
  const worker = await daemon.worker('-side-1')
  daemon.configure({})
  const reload = await daemon.cli('reload')
  expect(reload.stdout).toContain('queue side: removed')
  writeFileSync(join(daemon.dir, 'go'), '')
  await gone(worker)
  expect(linesOf(join(daemon.dir, 'ended'))).toEqual(['first'])
  expect((await daemon.status()).queues.map(one => one.task_key)).not.toContain('side')
  daemon.configure({ ini })
  expect((await daemon.cli('reload')).code).toBe(0)
  await waitFor(() => linesOf(join(daemon.dir, 'ended')).length === 2, { what: 'the second runs' })
})

it('the log level, and jobs, change without a restart', async () => {
  await using daemon = await startDaemon({ taskd: { log_level: 'error' } })
  const before = await has(daemon, 2)
  const script = daemon.script('tick.sh', '#!/bin/sh\necho "$3" >> "$1/ticks"\n')
  const ticking = (param: string) =>
    job('tick', script, { run_time: '* * * * * *', controller: daemon.dir, param })
  daemon.configure({ taskd: { log_level: 'info' }, ini: ticking('a') })
  daemon.signal('SIGHUP')
  await says(daemon, 'configuration applied')
  const ticks = () => linesOf(join(daemon.dir, 'ticks'))
  await waitFor(() => ticks().includes('a'), { what: 'the new job runs' })
  daemon.configure({ taskd: { log_level: 'info' }, ini: ticking('b') })
  expect((await daemon.cli('reload')).stdout).toContain('job tick: changed (param)')
  await waitFor(() => ticks().includes('b'), { what: 'it runs as it is now' })
  daemon.configure({ taskd: { log_level: 'info' } })
  expect((await daemon.cli('reload')).stdout).toContain('job tick: removed')
  expect((await daemon.status()).jobs).toEqual([])
  expect(await pids(daemon)).toEqual(before)
})

it('what only a restart can change is said to be so', async () => {
  await using daemon = await startDaemon()
  daemon.configure({ taskd: { node: 'renamed' } })
  const reload = await daemon.cli('reload')
  expect(reload.stdout).toContain('node: changed; takes effect with `taskd restart`')
  expect((await daemon.status()).node).not.toBe('renamed')
})

it('a reload starts nothing on a node that is drained', async () => {
  await using daemon = await startDaemon()
  expect((await daemon.cli('drain')).code).toBe(0)
  await waitFor(async () => (await daemon.status()).state === 'drained', { what: 'it is drained' })
  daemon.configure({ ini: '[queue:async_tasks]\nworkers = 2\nrate = 10/1s\n' })
  expect((await daemon.cli('reload')).code).toBe(0)
  expect((await daemon.status()).workers.map(one => one.state)).toEqual(['STOPPED', 'STOPPED'])
  expect((await daemon.cli('resume')).code).toBe(0)
  await has(daemon, 3)
})

it('a daemon that stops refuses a reload', async () => {
  await using daemon = await startDaemon({
    ini: '[program:deaf]\ncommand = sh -c "trap \'\' TERM; touch on; while :; do sleep 0.05; done"\n',
  })
  await waitFor(() => existsSync(join(daemon.dir, 'on')), { what: 'the trap' })
  daemon.signal('SIGTERM')
  await waitFor(async () => (await daemon.status()).state === 'stopping', { what: 'it stops' })
  const reload = await daemon.cli('reload')
  expect([reload.code, reload.stderr]).toEqual([1, expect.stringContaining('taskd is stopping')])
  daemon.signal('SIGTERM')
  await daemon.ended
})
