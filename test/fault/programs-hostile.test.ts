import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { groupLives, isAlive, processesByGroup, startTimeOf, usageOf } from '../../src/lib/proc.ts'
import { linesOf, newDaemon, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { MARK } from '../support/daemon-processes.ts'
import { inState, programOf, programSection } from '../support/programs.ts'
import { waitFor } from '../support/wait.ts'

const MIB = 1 << 20
const QUICK = { startsecs: '0.1', stopwaitsecs: 1 }

const idOf = (pid: number) => ({ pid, startTime: startTimeOf(pid) ?? 0 })
const memoryOf = (pid: number) => usageOf(pid)?.memory ?? 0
const stateOf = (pid: number) =>
  readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.slice(0, 1)

describe('programs that behave badly', () => {
  let daemon: TestDaemon
  beforeAll(async () => {
    daemon = await startDaemon()
  })
  afterAll(() => daemon.remove())

  /** Configures one program, next to nothing else. */
  const run = async (name: string, keys: Parameters<typeof programSection>[1]) => {
    daemon.configure({ ini: programSection(name, { ...QUICK, ...keys }) })
    const report = await daemon.control.reload()
    expect(report.problems).toEqual([])
  }
  const stop = async (name: string) =>
    expect((await daemon.cli('stop', name)).stdout).toBe(`${name}: stopped\n`)

  it('deaf to TERM: KILLed when its time is over', async () => {
    await run('deaf', {
      command: daemon.script(
        'deaf.sh',
        "#!/bin/sh\ntrap '' TERM\necho up > $0.up\nwhile :; do sleep 0.05; done\n",
      ),
    })
    const { pid } = await inState(daemon, 'deaf', 'RUNNING')
    await waitFor(() => existsSync(join(daemon.dir, 'deaf.sh.up')), { what: 'its trap' })
    const id = idOf(pid)
    const before = performance.now()
    await stop('deaf')
    expect(performance.now() - before).toBeGreaterThan(900)
    expect(isAlive(id)).toBe(false)
    expect((await daemon.control.why('deaf')).history.at(-1)?.to).toBe('STOPPED')
  })

  it('stopped by its own hand: it wakes to be stopped', async () => {
    await run('asleep', {
      command: "/bin/sh -c 'kill -STOP $$; exec sleep 1000'",
      stopwaitsecs: 60,
    })
    const { pid } = await inState(daemon, 'asleep', 'RUNNING')
    await waitFor(() => stateOf(pid) === 'T', { what: 'it is stopped' })
    await stop('asleep')
    // Long before KILL would come.
    expect(startTimeOf(pid)).toBeUndefined()
  })

  it('closes its outputs at once, and runs on', async () => {
    const log = join(daemon.dir, 'closes.log')
    await run('closes', {
      command: "/bin/sh -c 'exec >&- 2>&- <&-; exec sleep 1000'",
      stdout_logfile: log,
      stderr_logfile: log,
    })
    const { pid } = await inState(daemon, 'closes', 'RUNNING')
    expect((await inState(daemon, 'closes', 'RUNNING')).pid).toBe(pid)
    await stop('closes')
  })

  it('writes 1 GB as fast as it can: the log stays small, and so does the master', async () => {
    const log = join(daemon.dir, 'flood.log')
    const before = memoryOf(daemon.pid)
    let most = before
    await run('flood', {
      command: "/bin/sh -c 'head -c 1073741824 /dev/zero; echo done >&2; exec sleep 1000'",
      stdout_logfile: log,
      stdout_logfile_maxbytes: '4MB',
      stdout_logfile_backups: 2,
      stderr_logfile: `${log}.err`,
    })
    await waitFor(
      () => {
        most = Math.max(most, memoryOf(daemon.pid))
        return linesOf(`${log}.err`).length === 1
      },
      { timeoutMs: 120_000, what: 'it has written all of it' },
    )
    expect(most - before).toBeLessThan(100 * MIB)
    // And the rest of a line.
    for (const end of ['', '.1', '.2'])
      expect(statSync(`${log}${end}`).size).toBeLessThanOrEqual(4 * MIB + 65_536)
    expect(existsSync(`${log}.3`)).toBe(false)
    // And it answers meanwhile and after.
    expect((await daemon.cli('status', 'flood')).code).toBe(0)
    await stop('flood')
  })

  it('ends within a millisecond, always: FATAL soon, at next to no cost', async () => {
    const before = usageOf(daemon.pid)?.cpuMs ?? 0
    await run('gone', {
      command: '/bin/true',
      backoff: '10ms',
      backoff_max: '20ms',
      startretries: 20,
      startsecs: 1,
    })
    await inState(daemon, 'gone', 'FATAL', 60_000)
    expect((await programOf(daemon, 'gone')).restart_num).toBe(20)
    expect((usageOf(daemon.pid)?.cpuMs ?? 0) - before).toBeLessThan(3000)
  })

  it('without startsecs, too', async () => {
    const keys = { backoff: '10ms', startsecs: 0, autorestart: true, max_deaths: 5 }
    await run('ended', { command: '/bin/false', ...keys })
    await inState(daemon, 'ended', 'FATAL', 60_000)
    expect((await programOf(daemon, 'ended')).restart_num).toBe(4)
  })

  it('goes to the background in a session of its own: not restarted for ever', async () => {
    const script = daemon.script(
      'daemonizes.sh',
      '#!/bin/sh\nsetsid sh -c \'echo $$ >> "$0"; exec sleep 1000\' "$0.pids" &\nexit 0\n',
    )
    await run('daemonizes', { command: script, backoff: '10ms' })
    await inState(daemon, 'daemonizes', 'FATAL')
    const pids = () => linesOf(`${script}.pids`).map(Number)
    await waitFor(() => pids().length === 4, { what: 'each try has left one' })
    // As under supervisord they are nobody's; but the next daemon knows whose they were.
    const ids = pids().map(idOf)
    daemon.configure({ ini: '' })
    await daemon.kill()
    await daemon.start()
    await waitFor(() => !ids.some(isAlive), { what: 'they are ended' })
    expect((await daemon.status()).programs.map(one => one.name)).toEqual(['redis'])
  })

  it('forks until it is killed: a stop of the group ends all of it', async () => {
    const script = daemon.script(
      'forks.sh',
      "#!/bin/sh\ntrap '' TERM\nn=0\nwhile [ $n -lt 150 ]; do sleep 1000 & n=$((n + 1)); done\necho up > $0.up\nwhile :; do sleep 1000 & wait $!; done\n",
    )
    await run('forks', { command: script, stopasgroup: true })
    const { pid } = await inState(daemon, 'forks', 'RUNNING')
    await waitFor(() => existsSync(`${script}.up`), { timeoutMs: 30_000, what: 'its children' })
    expect(processesByGroup().get(pid)?.length).toBeGreaterThan(150)
    await stop('forks')
    await waitFor(() => !groupLives(pid), { what: 'all are gone' })
  })

  it('hides under another name, with another environment: found again all the same', async () => {
    await run('hides', {
      command:
        "/usr/bin/env perl -e '$0 = q(sshd: root); delete $ENV{TASKD_PROGRAM}; exec qw(env -i sleep 1000)'",
    })
    const { pid } = await inState(daemon, 'hides', 'RUNNING')
    await waitFor(() => readFileSync(`/proc/${pid}/environ`, 'utf8') === '', { what: 'it hides' })
    const id = idOf(pid)
    await daemon.kill()
    await daemon.start()
    expect((await inState(daemon, 'hides', 'RUNNING')).pid).not.toBe(pid)
    expect(isAlive(id)).toBe(false)
  })

  it.each([
    ['a folder as its command', () => daemon.dir, / is a folder/],
    [
      'an interpreter that is not there',
      () => daemon.script('odd.sh', '#!/no/such/interpreter\n'),
      /names an interpreter that is not there: \/no\/such\/interpreter/,
    ],
    [
      'line ends of Windows',
      () => daemon.script('dos.sh', '#!/bin/sh\r\nexit 0\r\n'),
      /interpreter that is not there: \/bin\/sh\\r/,
    ],
    [
      'a file that nobody may execute',
      () => {
        const file = daemon.script('plain.sh', '#!/bin/sh\n')
        chmodSync(file, 0o644)
        return file
      },
      /not executable/,
    ],
    ['a file of garbage', () => daemon.script('garbage', '\u007FELF garbage\u0000\u0001'), /\w/],
  ])('with %s: FATAL, and it is said why', async (_what, command, message) => {
    await run('cannot', { command: command(), backoff: '10ms', startretries: 1 })
    const { detail, pid } = await inState(daemon, 'cannot', 'FATAL')
    expect(detail).toMatch(message)
    expect(pid).toBe(0)
    expect((await daemon.cli('why', 'cannot')).stdout).toMatch(/FATAL/)
  })

  it('loses its folder while it runs: it cannot be started there, until it is back', async () => {
    const directory = join(daemon.dir, 'release')
    mkdirSync(directory)
    await run('moved', {
      command: '/bin/sleep 1000',
      directory,
      backoff: '10ms',
      fatal_retry: '100ms',
    })
    const { pid } = await inState(daemon, 'moved', 'RUNNING')
    rmSync(directory, { recursive: true })
    expect((await inState(daemon, 'moved', 'RUNNING')).pid).toBe(pid)
    process.kill(pid, 'SIGKILL')
    const { detail } = await inState(daemon, 'moved', 'FATAL')
    expect(detail).toContain(`cannot change to directory ${directory}`)
    mkdirSync(directory)
    await inState(daemon, 'moved', 'RUNNING')
  })

  it('after all that it is the same daemon, and it stops in order', async () => {
    expect((await daemon.status()).state).toBe('running')
    daemon.configure({ ini: '' })
    await daemon.control.reload()
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    expect(daemon.processes()).toEqual([])
  })
})

it('a daemon whose own folder was removed goes on starting programs and workers', async () => {
  await using daemon = newDaemon({
    ini: programSection('one', { ...QUICK, command: '/bin/sleep 1000' }),
  })
  const folder = join(daemon.dir, 'old-release')
  mkdirSync(folder)
  const env = { ...process.env, [MARK]: daemon.dir }
  const args = ['start', '-c', daemon.config]
  execFileSync(resolve('bin/taskd'), args, { cwd: folder, env, stdio: 'ignore' })
  const { pid } = await inState(daemon, 'one', 'RUNNING')
  const worker = await daemon.worker('-async_tasks-1')
  rmSync(folder, { recursive: true })
  process.kill(pid, 'SIGKILL')
  process.kill(worker, 'SIGKILL')
  await waitFor(async () => (await inState(daemon, 'one', 'RUNNING')).pid !== pid, {
    what: 'the program is back',
  })
  await waitFor(
    async () => {
      const { workers } = await daemon.status()
      return workers.every(one => one.state === 'RUNNING' && one.pid !== worker)
    },
    { what: 'the worker is back' },
  )
  expect((await daemon.cli('stop')).code).toBe(0)
})
