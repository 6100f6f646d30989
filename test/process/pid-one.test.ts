import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Ended, linesOf, newDaemon, type TestDaemon } from '../support/daemon.ts'
import { MARK } from '../support/daemon-processes.ts'
import { asSubreaper, childrenOf, isZombie, unshare, whichOf } from '../support/pid-one.ts'
import { waitFor } from '../support/wait.ts'

const PROGRAM = resolve('bin/taskd')
const NAMESPACE = unshare()
/** Where no namespace is to be had, the same is seen of the init alone, but for what the kernel does. */
const COMMAND = NAMESPACE
  ? [...NAMESPACE, PROGRAM]
  : asSubreaper(['perl', resolve('dist/master/init.pl'), 'node', resolve('dist/cli/main.js')])
if (!NAMESPACE)
  process.stderr.write(
    'unshare is not permitted here: process 1 itself is not tested, its init is\n',
  )
const HOW = NAMESPACE ? 'as process 1' : 'under its init, since unshare is NOT PERMITTED here,'

/**
 * Leaves three orphans behind, which end a moment later. It waits until each has a session of its
 * own: what is still in its group when it ends is ended with it.
 */
const LEAVES_STRANGERS = `#!/bin/sh
for n in 1 2 3; do
  (setsid sh -c ': > "$1"; sleep 0.1; echo gone >> "$0"' "$1/gone" "$1/up.$$.$n" >/dev/null 2>&1 &)
done
for n in 1 2 3; do while [ ! -e "$1/up.$$.$n" ]; do sleep 0.01; done; done
`
const HELD = `#!/bin/sh
echo begun >> "$1/begun"
while [ ! -e "$1/go" ]; do sleep 0.02; done
echo done >> "$1/done"
`

interface Container {
  /** Process 1, by its pid out here. */
  readonly first: number
  readonly ended: Promise<Ended>
  readonly child: ChildProcess
}

async function contain(
  daemon: TestDaemon,
  command = COMMAND,
  environment: NodeJS.ProcessEnv = {},
): Promise<Container> {
  const log = openSync(join(daemon.dir, 'out.log'), 'a')
  const args = ['--pdeathsig=KILL', '--', ...command, 'start', '-n', '-c', daemon.config]
  const env = { PATH: process.env['PATH'], HOME: daemon.dir, [MARK]: daemon.dir, ...environment }
  const child = spawn(whichOf('setpriv'), args, {
    env,
    cwd: daemon.dir,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const ended = new Promise<Ended>(done =>
    child.once('exit', (code, signal) => done({ code, signal })),
  )
  await waitFor(async () => (await daemon.status()).state === 'running', {
    timeoutMs: 40_000,
    what: `the daemon is ready: ${daemon.log()}`,
  })
  const [inner = 0] = childrenOf(child.pid ?? 0)
  return { first: NAMESPACE ? inner : (child.pid ?? 0), ended, child }
}

async function leaveStrangers(daemon: TestDaemon, count: number): Promise<void> {
  const script = daemon.script('leaves.sh', LEAVES_STRANGERS)
  const task = { script, controller: daemon.dir, function: '' }
  for (const key of ['sync_tasks', 'async_tasks'])
    await daemon.push(key, ...Array.from({ length: count / 6 }, () => task))
  await waitFor(() => linesOf(join(daemon.dir, 'gone')).length === count, {
    what: `${count} strangers have ended`,
  })
}

async function holdOne(daemon: TestDaemon): Promise<void> {
  const script = daemon.script('held.sh', HELD)
  await daemon.push('async_tasks', { script, controller: daemon.dir, function: '' })
  await waitFor(() => linesOf(join(daemon.dir, 'begun')).length === 1, { what: 'a task runs' })
}

const zombiesOf = ({ first }: Container) => childrenOf(first).filter(isZombie)
const nodeOf = ({ first }: Container) =>
  childrenOf(first).find(pid => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('main.js'))

describe(`taskd ${HOW}`, () => {
  it('reaps strangers while tasks and programs run, drains at TERM and ends with 0', async () => {
    await using daemon = newDaemon()
    const leaves = daemon.script('program.sh', LEAVES_STRANGERS.replaceAll('/gone', '/gone2'))
    daemon.configure({
      ini: `[program:leaves]\ncommand = ${leaves} ${daemon.dir}\nstartsecs = 0\nautorestart = true\n`,
    })
    const container = await contain(daemon)
    await leaveStrangers(daemon, 60)
    await waitFor(() => linesOf(join(daemon.dir, 'gone2')).length > 5, {
      what: 'what the program had left behind has ended',
    })
    await daemon.cli('stop', 'leaves')
    await waitFor(() => childrenOf(container.first).length === 1, { what: 'no stranger is left' })
    expect(childrenOf(container.first)).toEqual([nodeOf(container)])
    process.kill(container.first, 'SIGUSR1')
    await waitFor(() => daemon.log().includes(' state '), { what: 'USR1 is obeyed' })
    await holdOne(daemon)
    process.kill(container.first, 'SIGTERM')
    await waitFor(async () => (await daemon.status()).state === 'stopping', { what: 'it drains' })
    writeFileSync(join(daemon.dir, 'go'), '')
    expect(await container.ended).toEqual({ code: 0, signal: null })
    expect(linesOf(join(daemon.dir, 'done'))).toEqual(['done'])
    expect(daemon.log()).not.toContain('process 1')
    expect(daemon.processes()).toEqual([])
  })

  it('ends with 137 when its node is KILLed; nothing outlives the container, no task is lost', async () => {
    await using daemon = newDaemon()
    const container = await contain(daemon)
    await holdOne(daemon)
    process.kill(nodeOf(container) ?? 0, 'SIGKILL')
    expect(await container.ended).toEqual({ code: 137, signal: null })
    // Elsewhere the workers finish what runs and the embedded Redis waits for the next daemon.
    const left = NAMESPACE ? daemon.processes() : []
    expect(left).toEqual([])
    writeFileSync(join(daemon.dir, 'go'), '')
    await contain(daemon)
    await waitFor(() => linesOf(join(daemon.dir, 'done')).length === 1, {
      what: 'the task that ran has run to its end',
    })
  })
})

describe.runIf(NAMESPACE)('taskd as process 1 without perl', () => {
  it('says once that it reaps no strangers, works, and ends with 0', async () => {
    await using daemon = newDaemon()
    const bin = join(daemon.dir, 'bin')
    mkdirSync(bin)
    for (const name of ['node', 'redis-server', 'sh', 'sleep', 'setsid'])
      symlinkSync(whichOf(name), join(bin, name))
    const [command = '', ...rest] = COMMAND
    const container = await contain(daemon, [whichOf(command), ...rest], {
      PATH: bin,
    })
    await leaveStrangers(daemon, 12)
    await waitFor(() => zombiesOf(container).length === 12, { what: 'all stay as zombies' })
    expect(daemon.log().match(/process 1/g)).toHaveLength(1)
    process.kill(container.first, 'SIGTERM')
    expect(await container.ended).toEqual({ code: 0, signal: null })
    expect(daemon.processes()).toEqual([])
  })
})
