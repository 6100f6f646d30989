import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  createReadStream,
  existsSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import { groupLives } from '../../../src/lib/proc.ts'
import { startLauncher } from '../../../src/workers/launcher.ts'
import type { Spawner } from '../../../src/workers/spawn.ts'
import { type Kind, launcherCommand, launcherOf } from '../../support/launchers.ts'
import { BASE } from '../../support/runs.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { waitFor } from '../../support/wait.ts'

type Variables = Readonly<Record<string, string>>

async function exitOf(launcher: Spawner, command: readonly string[], environment: Variables = {}) {
  const [file = '', ...args] = command
  const spawned = await launcher({ file, args, directory: '/', environment })
  return spawned instanceof Error ? spawned : spawned.exit
}

async function outputOf(launcher: Spawner, text: string, environment?: Variables): Promise<string> {
  const exit = await exitOf(launcher, ['/bin/sh', '-c', text], environment)
  if (exit instanceof Error) throw exit
  return exit.output
}

function frame(...fields: readonly string[]): Buffer {
  const body = Buffer.from(fields.join('\0'))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  return Buffer.concat([length, body])
}

/** A launcher, and the file that its pid is written to. */
async function launcherWithPid(kind: Kind, folder: string) {
  const file = join(folder, 'pid')
  const script = 'echo $$ >"$0"; exec "$@"'
  const launcher = await launcherOf(kind, BASE, ['/bin/sh', '-c', script, file])
  await outputOf(launcher, 'true')
  return { launcher, pid: Number(readFileSync(file, 'utf8')) }
}

/** Of this process so far, in both modes. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** What the suite of runs cannot see: what a process inherits, and a system that has nothing left. */
describe.each(['compiled', 'perl'] as const)('the launcher: %s', kind => {
  test('gives a process no signal that is blocked or ignored', async () => {
    const launcher = await launcherOf(kind)
    const status = await outputOf(launcher, 'exec cat /proc/self/status')
    expect(status).toMatch(/^SigBlk:\s+0+$/m)
    expect(status).toMatch(/^SigIgn:\s+0+$/m)
  })

  test('gives a process its three streams and no other file, however many run', async () => {
    const launcher = await launcherOf(kind)
    const script = 'sleep 0.1; for fd in /proc/$$/fd/*; do echo "${fd##*/}"; done'
    // Those that this process itself was given go everywhere.
    const usual = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' })
    const texts = Array.from({ length: 20 }, () => outputOf(launcher, script))
    expect(new Set(await Promise.all(texts))).toEqual(new Set([usual]))
  })

  test('an environment of a run adds to the common one, takes its place, and is gone after it', async () => {
    const launcher = await launcherOf(kind, { COMMON: 'a', ODD: 'x=y\nz', COMMON_2: 'b' })
    const own = { COMMON: 'mine', NEW: '', PATH: '/nowhere:/bin' }
    expect((await outputOf(launcher, 'echo $COMMON-$COMMON_2-$ODD-${NEW-unset}', own)).trim()).toBe(
      'mine-b-x=y z-',
    )
    expect((await outputOf(launcher, 'echo $COMMON-${NEW-unset}')).trim()).toBe('a-unset')
  })

  test('ends what runs, also what ignores TERM, when its worker is gone', async () => {
    const [file = '', ...args] = launcherCommand(kind)
    const launcher = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const script = 'trap "" TERM; sleep 60 & sleep 60'
    launcher.stdin.write(frame('R', '1', '', '', '/', '3', '/bin/sh', '-c', script))
    const [said] = (await once(launcher.stdout, 'data')) as [Buffer]
    const pid = Number(said.toString('latin1', 4).split('\0')[2])
    expect(groupLives(pid)).toBe(true)
    launcher.stdin.end()
    await waitFor(() => !groupLives(pid), { what: 'the whole group has ended' })
  })

  test('looks for a program in the PATH of its run', async () => {
    const launcher = await launcherOf(kind, { PATH: '/nowhere' })
    expect(await exitOf(launcher, ['true'])).toMatchObject({ code: 'ENOENT' })
    expect(await exitOf(launcher, ['true'], { PATH: '/nowhere:/usr/bin:/bin' })).toMatchObject({
      exitCode: 0,
    })
  })

  test('says what the system said, and goes on', async () => {
    const launcher = await launcherOf(kind)
    expect(await exitOf(launcher, ['/etc/passwd'])).toMatchObject({ code: 'EACCES' })
    expect(await exitOf(launcher, ['/bin/echo', 'x'.repeat(200_000)])).toMatchObject({
      code: 'E2BIG',
    })
    expect(await outputOf(launcher, 'echo fine')).toBe('fine\n')
  })

  test('a system without a file or a process to spare fails that run alone', async () => {
    const launcher = await launcherOf(kind, {}, ['prlimit', '--nofile=24'])
    const runs = Array.from({ length: 30 }, () => exitOf(launcher, ['/bin/sleep', '0.5']))
    const exits = await Promise.all(runs)
    const refused = exits.filter(exit => exit instanceof Error)
    expect(refused.length).toBeGreaterThan(10)
    for (const error of refused) expect(error).toMatchObject({ code: 'EMFILE' })
    expect(exits.length - refused.length).toBeGreaterThan(3)
    // Nothing is held on to by those that failed.
    const again = Array.from({ length: 4 }, () => exitOf(launcher, ['/bin/true']))
    for (const exit of await Promise.all(again)) expect(exit).toMatchObject({ exitCode: 0 })
  })

  test('bytes between all others arrive as they are', async () => {
    const launcher = await launcherOf(kind)
    const word = `${String.fromCharCode(...Array.from({ length: 255 }, (_none, n) => n + 1))}äß☂`
    const exit = await exitOf(launcher, ['/usr/bin/printf', '%s', word])
    expect(exit).toMatchObject({ output: word })
  })

  test('ends with its reader, and not by what ends others', async () => {
    const [file = '', ...args] = launcherCommand(kind)
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin.write(frame('R', '1', '', '', '/', '2', '/bin/sleep', '60'))
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    const [, id] = said.subarray(4).toString().split('\0')
    expect(id).toBe('1')
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) child.kill(signal)
    await realClock.sleep(100)
    expect([child.exitCode, child.signalCode]).toEqual([null, null])
    const gone = once(child, 'exit')
    child.stdin.end()
    expect(await gone).toEqual([0, null])
  })

  test('does nothing at all while nothing happens', async () => {
    await using folder = tempDir('taskd-launcher-')
    const { pid } = await launcherWithPid(kind, folder.path)
    const wakes = () =>
      /^voluntary_ctxt_switches.*$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[0]
    const rested = await waitFor(
      async () => {
        const before = wakes()
        await realClock.sleep(500)
        return before === wakes() && before
      },
      { what: 'half a second without a wake' },
    )
    expect(rested).toMatch(/\d$/)
  })

  test('tells of an end while others write without a pause', async () => {
    const launcher = await launcherOf(kind)
    const writer = { file: '/bin/cat', args: ['/dev/zero'], directory: '/', environment: {} }
    const writers = await Promise.all(Array.from({ length: 40 }, () => launcher(writer)))
    try {
      let ended = 0
      const late = realClock.sleep(30_000).then(() => ended)
      const quick = async () => {
        while (ended < 20) {
          expect(await exitOf(launcher, ['/bin/true'])).toMatchObject({ exitCode: 0 })
          ended += 1
        }
        return ended
      }
      expect(await Promise.race([quick(), late])).toBe(20)
    } finally {
      for (const one of writers) if (!(one instanceof Error)) process.kill(-one.pid, 'SIGKILL')
    }
  })

  test('hears what was written before the pipes are shut, also when it stood still meanwhile', async () => {
    await using folder = tempDir('taskd-launcher-')
    const { launcher, pid } = await launcherWithPid(kind, folder.path)
    const wait = 'while [ ! -e go ]; do sleep 0.01; done; echo late; >said; exec sleep 60'
    const args = ['-c', `(${wait}) & exit 0`]
    const directory = folder.path
    const run = await launcher({ file: '/bin/sh', args, directory, environment: {} })
    if (run instanceof Error) throw run
    while (existsSync(`/proc/${run.pid}`)) await realClock.sleep(1)
    process.kill(pid, 'SIGSTOP')
    try {
      writeFileSync(join(directory, 'go'), '')
      await waitFor(() => existsSync(join(directory, 'said')), { what: 'it has written' })
      await realClock.sleep(300)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    expect(await run.exit).toMatchObject({ exitCode: 0, output: 'late\n' })
    process.kill(-run.pid, 'SIGKILL')
  })

  test('gives back what large outputs took: no later process is said to have needed it', async () => {
    const launcher = await launcherOf(kind)
    const large = ['/usr/bin/head', '-c', '2000000', '/dev/zero']
    await Promise.all(Array.from({ length: 40 }, () => exitOf(launcher, large)))
    const exit = await exitOf(launcher, ['/bin/true'])
    if (exit instanceof Error) throw exit
    expect(exit.peakMemory ?? 0).toBeLessThan(25_000_000)
  })

  test('a reader that is late by 100 MB costs hardly more than one that is not', async () => {
    await using folder = tempDir('taskd-launcher-')
    const fifo = join(folder.path, 'answers')
    execFileSync('mkfifo', [fifo])
    const out = openSync(fifo, 'r+')
    const [file = '', ...args] = launcherCommand(kind)
    const child = spawn(file, args, { stdio: ['pipe', out, 'inherit'] })
    const { pid = 0 } = child
    const command = ['3', '/usr/bin/head', '-c1048576', '/dev/zero']
    for (let n = 0; n < 100; n += 1) {
      child.stdin?.write(frame('R', String(n), '', '', '/', ...command))
    }
    const resident = () =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
    await waitFor(() => resident() > 106_000, { what: 'all has been written' })
    const toCollect = processorMs(pid)
    // As a stream: a read of ours that waits would hold up the time limit of this test too.
    let left = 100 * (1_048_576 + 65_536)
    for await (const part of createReadStream(fifo)) {
      left -= part.length
      if (left <= 0) break
    }
    expect(processorMs(pid) - toCollect).toBeLessThan(300 + 2 * toCollect)
    child.stdin?.end()
    await once(child, 'exit')
    closeSync(out)
  })
})

test.each([
  [
    'made for another machine',
    (program: Buffer) => {
      program.writeUInt16LE(0xffff, 18)
      return program
    },
  ],
  ['cut off when it was copied', (program: Buffer) => program.subarray(0, 10)],
  ['not there at all', () => undefined],
])(
  'a compiled launcher that is %s is left to the next one, and no shell reads it',
  async (_what, spoilt) => {
    await using folder = tempDir('taskd-launcher-')
    const [compiled = ''] = launcherCommand('compiled')
    const file = join(folder.path, 'launcher')
    const bytes = spoilt(readFileSync(compiled))
    if (bytes) writeFileSync(file, bytes, { mode: 0o755 })
    let lost = 0
    const options = { environment: BASE, onLost: () => (lost += 1) }
    expect(await startLauncher({ ...options, among: [[file]] })).toBeUndefined()
    const launcher = await startLauncher({ ...options, among: [[file], launcherCommand('perl')] })
    expect(launcher && (await outputOf(launcher, 'echo fine'))).toBe('fine\n')
    expect(lost).toBe(0)
  },
)
