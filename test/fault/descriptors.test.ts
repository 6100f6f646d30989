import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { linesOf, newDaemon, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { MARK } from '../support/daemon-processes.ts'
import { inState, manySection, programOf, programSection } from '../support/programs.ts'
import { waitFor } from '../support/wait.ts'

const LIMIT = 360

const openOf = (pid: number) => readdirSync(`/proc/${pid}/fd`).length

/** Its soft limit alone, which anybody may lower and raise again. */
function limit(pid: number, files: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${files}:`])
}

/** Node has a figure for each worker once the sampler has looked. */
const sampled = async (daemon: TestDaemon) =>
  (await daemon.status()).workers.every(one => one.memory > 0)

it('120 programs at ulimit -n 360: as many as fit run, the rest say why, and commands work', async () => {
  await using daemon = newDaemon()
  const keys = { command: 'sleep 600', startsecs: 0, startretries: 1, fatal_retry: 0 }
  const logs = { stdout_logfile: 'AUTO', stderr_logfile: 'AUTO' }
  daemon.configure({ ini: manySection('web', 120, { ...keys, ...logs }) })
  const env = { ...process.env, [MARK]: daemon.dir }
  const bin = resolve('bin/taskd')
  const taskd = (...args: string[]) =>
    execFileSync('prlimit', [`--nofile=${LIMIT}`, bin, ...args, '-c', daemon.config], {
      env,
      encoding: 'utf8',
    })
  const figures = `its 120 processes need 480 file descriptors, all programs 480 and the daemon itself 102: 582, and the limit here is ${LIMIT}`
  expect(taskd('check')).toMatch(new RegExp(`numprocs = 120: ${figures}.*ulimit -n 1024`))
  expect(taskd('start')).toContain('taskd is ready')
  const states = async () => {
    const { programs } = await daemon.status()
    const of = (state: string) => programs.filter(one => one.group === 'web' && one.state === state)
    return { running: of('RUNNING'), fatal: of('FATAL') }
  }
  const seen = await waitFor(
    async () => {
      const { running, fatal } = await states()
      return running.length + fatal.length === 120 && { running, fatal }
    },
    { what: 'all have been tried', timeoutMs: 40_000 },
  )
  // (360 - 102) / 4
  expect([seen.running.length, seen.fatal.length]).toEqual([64, 56])
  expect(seen.fatal[0]?.detail).toContain(
    `its output needs 4 file descriptors, and 2 of ${LIMIT} are left`,
  )
  await waitFor(() => sampled(daemon), { what: 'all is measured', timeoutMs: 30_000 })
  const { pid } = await daemon.status()
  expect(openOf(pid)).toBeLessThan(LIMIT - 20)
  expect(linesOf(join(daemon.dataDir, 'log', 'taskd.log')).join('\n')).toContain(figures)
  // A place that becomes free is given to the next.
  const first = seen.running[0]?.name ?? ''
  const [last] = seen.fatal
  daemon.configure({ ini: manySection('web', 60, { ...keys, ...logs }) })
  expect((await daemon.cli('reload')).code).toBe(0)
  await waitFor(async () => (await states()).fatal.length === 0, { what: 'those beyond are gone' })
  daemon.configure({ ini: manySection('web', 64, { ...keys, ...logs }) })
  expect((await daemon.cli('reload')).code).toBe(0)
  await waitFor(async () => (await states()).running.length === 64, { what: 'there is room' })
  expect((await daemon.cli('stop', first)).code).toBe(0)
  expect(last).toBeDefined()
  expect((await daemon.cli('stop', '--kill')).code).toBe(0)
})

it('survives with no descriptor left at all, and goes on when there are some again', async () => {
  const ini = [
    programSection('dies', {
      command: 'sleep 0.5',
      startsecs: 0,
      autorestart: true,
      fatal_retry: 1,
    }),
    programSection('stays', { command: 'sleep 600', startsecs: 0 }),
    '[tick]\nscript = /bin/true\nrun_time = * * * * * *\ntask_key = async_tasks\noverlap = allow',
  ].join('\n')
  await using daemon = await startDaemon({ ini })
  await inState(daemon, 'stays', 'RUNNING')
  const { pid } = daemon
  const before = Number(
    /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1],
  )
  const done = daemon.script('done.sh', '#!/bin/sh\necho done >> "$1/done"\n')
  const held = daemon.script(
    'held.sh',
    '#!/bin/sh\necho up >> "$1/up"; sleep 3; echo ok >> "$1/ok"\n',
  )
  const lines = (name: string) => linesOf(join(daemon.dir, name)).length
  await daemon.push('async_tasks', { script: held, controller: daemon.dir, function: 'f' })
  await waitFor(() => lines('up') === 1, { what: 'a task runs' })
  const worker = await daemon.worker('async_tasks-1')
  const died = Date.now()
  limit(pid, 20)
  // Its worker dies, its programs end, it is told to reload and to tell its state.
  process.kill(worker, 'SIGKILL')
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) daemon.signal(signal)
  // Two rounds of what it does each ten seconds.
  await waitFor(() => Date.now() - died > 22_000, { what: 'two rounds', timeoutMs: 40_000 })
  expect(openOf(pid)).toBeGreaterThan(0)
  limit(pid, before)
  await waitFor(async () => (await daemon.status()).state === 'running', { what: 'it answers' })
  // What the dead worker had runs again, without waiting for its lock.
  await waitFor(() => lines('ok') === 1, { what: 'the task is run again', timeoutMs: 40_000 })
  await daemon.push('async_tasks', { script: done, controller: daemon.dir, function: 'f' })
  await waitFor(() => lines('done') === 1, { what: 'a new task runs', timeoutMs: 40_000 })
  expect((await programOf(daemon, 'stays')).state).toBe('RUNNING')
  await waitFor(async () => (await programOf(daemon, 'dies')).pid > 0, {
    what: 'it is started again',
  })
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
})
