import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readlinkSync, realpathSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { newDaemon, type TestDaemon } from '../support/daemon.ts'
import { MARK } from '../support/daemon-processes.ts'
import { programSection } from '../support/programs.ts'
import { waitFor } from '../support/wait.ts'

const PROGRAM = resolve('bin/taskd')

const RUNS = `#!/bin/sh
: > "$1/runs"
exec sleep 600
`

/** A deploy as people write it: one at a time, and taskd started in it, with the lock on numbers of each kind. */
const deploy = (start: string) => `
  ( flock -n 200 || exit 1
    exec 3<&200 9<&200 12<&200 15<&200 16<&200
    ${start} ) 200>deploy.lock`

/** Whoever has the lock file open, by command. */
function holders(daemon: TestDaemon, lock: string): string[] {
  return daemon.processes().flatMap(({ pid, command }) => {
    const folder = `/proc/${pid}/fd`
    const open = existsSync(folder) ? readdirSync(folder) : []
    const numbers = open.filter(fd => targetOf(`${folder}/${fd}`) === lock)
    return numbers.length === 0 ? [] : [`${command}: ${numbers.join(' ')}`]
  })
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}

const isFree = (lock: string) => spawnSync('flock', ['-n', lock, 'true']).status === 0

it.each([
  ['in the background', `${PROGRAM} start -c conf/cron.ini`],
  ['in the foreground', `${PROGRAM} start -n -c conf/cron.ini > out.log 2>&1 &`],
])('a lock of whoever starts it %s is free when that one has ended', async (_, start) => {
  await using daemon = newDaemon()
  daemon.configure({ ini: programSection('sleeps', { command: 'sleep 600', startsecs: 0 }) })
  const script = daemon.script('runs.sh', RUNS)
  const env = { ...process.env, [MARK]: daemon.dir }
  const shell = spawn('bash', ['-c', deploy(start)], { cwd: daemon.dir, env, stdio: 'ignore' })
  expect(await once(shell, 'exit')).toEqual([0, null])
  await waitFor(async () => (await daemon.status()).state === 'running', {
    what: 'the daemon is ready',
    timeoutMs: 40_000,
  })
  await daemon.push('async_tasks', { script, controller: daemon.dir, function: 'f' })
  await waitFor(() => existsSync(join(daemon.dir, 'runs')), { what: 'the task runs' })
  const commands = daemon.processes().map(one => one.command)
  for (const part of ['main.js start', 'redis-server', 'workers/main.js', 'sleep 600'])
    expect(commands.join('\n')).toContain(part)
  const lock = join(realpathSync(daemon.dir), 'deploy.lock')
  expect(holders(daemon, lock)).toEqual([])
  expect(isFree(lock)).toBe(true)
  await daemon.cli('stop', '--kill')
})

it('an agent keeps none either', async () => {
  await using daemon = newDaemon()
  // Nobody answers there: it goes on trying.
  const agent = `TASKD_SECRET=x ${PROGRAM} agent --master http://127.0.0.1:1 --queue q --data agent > out.log 2>&1 &`
  const env = { ...process.env, [MARK]: daemon.dir }
  const shell = spawn('bash', ['-c', deploy(agent)], { cwd: daemon.dir, env, stdio: 'ignore' })
  expect(await once(shell, 'exit')).toEqual([0, null])
  await waitFor(() => daemon.log().includes('agent starts'), { what: 'the agent is up' })
  expect(
    daemon
      .processes()
      .map(one => one.command)
      .join('\n'),
  ).toContain('main.js agent')
  const lock = join(realpathSync(daemon.dir), 'deploy.lock')
  expect(holders(daemon, lock)).toEqual([])
  expect(isFree(lock)).toBe(true)
})

it('a configuration on a descriptor can be read all the same', async () => {
  await using daemon = newDaemon()
  const script = `exec ${PROGRAM} check -c /dev/fd/7 7<conf/cron.ini`
  const checked = spawnSync('bash', ['-c', script], { cwd: daemon.dir, encoding: 'utf8' })
  expect(checked).toMatchObject({ status: 0, stderr: '' })
})
