import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeSpawner, type OutputPart, type Spawner } from '../../../src/workers/spawn.ts'
import { launcherOf } from '../../support/launchers.ts'
import { BASE, type Bench, bench } from '../../support/runs.ts'
import { waitFor } from '../../support/wait.ts'

const LAUNCHED: [string, Spawner][] = [
  ['the compiled launcher', await launcherOf('compiled')],
  ['the launcher in Perl', await launcherOf('perl')],
]

let scripts: Bench
beforeEach(() => {
  scripts = bench()
})
afterEach(() => scripts.folder.remove())

describe.each<[string, Spawner]>([...LAUNCHED, ["Node's own spawn", nodeSpawner(BASE)]])(
  'a process of %s that is watched',
  (_name, spawner) => {
    async function start(text: string) {
      const file = scripts.write('run.sh', text)
      const spawned = await spawner({
        file: '/bin/sh',
        args: [file],
        directory: scripts.folder.path,
        environment: {},
      })
      if (spawned instanceof Error) throw spawned
      const go = () => scripts.write('go', '')
      const parts: { at: number; text: string; snapshot: boolean }[] = []
      const listener = ({ at, bytes, snapshot }: OutputPart) =>
        void parts.push({ at, text: bytes.toString(), snapshot })
      const heard = () => parts.map(part => part.text).join('')
      return { spawned, go, parts, listener, heard }
    }
    const UNTIL_GO = 'while [ ! -e go ]; do sleep 0.01; done\n'

    test('gives what it has written, then what it writes, on either stream', async () => {
      const run = await start(`echo before >&2\n${UNTIL_GO}echo after\nexit 3`)
      run.spawned.watch(run.listener)
      await waitFor(() => run.heard().includes('before\n'), { what: 'what it wrote is there' })
      run.go()
      const exit = await run.spawned.exit
      expect(run.parts[0]?.snapshot).toBe(true)
      expect(run.heard()).toBe('before\nafter\n')
      expect(exit).toMatchObject({ exitCode: 3, output: 'before\nafter\n', written: 13, errors: 7 })
    })

    test('says of each part where it begins, and of each new look all so far', async () => {
      const run = await start(`printf one\n${UNTIL_GO}printf two`)
      run.spawned.watch(run.listener)
      await waitFor(() => run.heard() === 'one', { what: 'the first is heard' })
      run.spawned.watch(run.listener)
      await waitFor(() => run.heard() === 'oneone', { what: 'another snapshot is heard' })
      expect(run.parts.at(-1)).toEqual({ at: 0, text: 'one', snapshot: true })
      run.go()
      await run.spawned.exit
      expect(run.parts.at(-1)).toEqual({ at: 3, text: 'two', snapshot: false })
    })

    test('is heard no more once nobody looks, and again from a snapshot on', async () => {
      const run = await start(
        `printf one\n${UNTIL_GO}printf two; touch said\nwhile [ ! -e end ]; do sleep 0.01; done`,
      )
      run.spawned.watch(run.listener)
      await waitFor(() => run.heard() === 'one', { what: 'the first is heard' })
      run.spawned.watch(undefined)
      run.go()
      await waitFor(() => existsSync(join(scripts.folder.path, 'said')), { what: 'it wrote more' })
      const later: string[] = []
      run.spawned.watch(({ bytes }) => void later.push(bytes.toString()))
      await waitFor(() => later.join('') === 'onetwo', { what: 'all so far is heard' })
      expect(run.heard()).toBe('one')
      scripts.write('end', '')
      await run.spawned.exit
    })

    test('is not slowed by 300 MB that nobody can take in, and tells how much there were', async () => {
      const run = await start('head -c 300000000 /dev/zero')
      let heard = 0
      let gaps = 0
      let next = 0
      run.spawned.watch(({ at, bytes }) => {
        heard += bytes.length
        gaps += Math.max(0, at - next)
        next = at + bytes.length
      })
      const exit = await run.spawned.exit
      expect(exit).toMatchObject({ exitCode: 0, written: 300_000_000 })
      expect(heard + gaps).toBe(next)
      expect(next).toBeLessThanOrEqual(300_000_000)
    })
  },
)

describe('the peak of its memory', () => {
  const peakOf = async (spawner: Spawner, bytes: number) => {
    const file = scripts.write('eat.pl', 'my $x = "x" x $ARGV[0]; exit 0')
    const args = [file, String(bytes)]
    const spawned = await spawner({ file: 'perl', args, directory: '/', environment: {} })
    if (spawned instanceof Error) throw spawned
    const exit = await spawned.exit
    if (exit instanceof Error) throw exit
    expect(exit.exitCode).toBe(0)
    return exit.peakMemory
  }

  test.each(LAUNCHED)('is by %s that of the process, in bytes', async (_name, launcher) => {
    const peak = (await peakOf(launcher, 100_000_000)) ?? 0
    expect(peak).toBeGreaterThan(100_000_000)
    expect(peak).toBeLessThan(250_000_000)
    expect((await peakOf(launcher, 10)) ?? 0).toBeLessThan(60_000_000)
  })

  test('is not known where there is no launcher', async () => {
    expect(await peakOf(nodeSpawner(BASE), 10)).toBeNull()
  })
})
