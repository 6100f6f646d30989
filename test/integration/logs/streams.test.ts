import { type ChildProcess, spawn } from 'node:child_process'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../src/lib/clock.ts'
import { realClock } from '../../../src/lib/clock.ts'
import { bundled } from '../../support/bundled.mjs'
import { waitFor } from '../../support/wait.ts'
import { logRig, run, start } from './rig.ts'

const MEASURE = await bundled(`import '${import.meta.dirname}/measure-streams.mjs'`)

const openFds = () => readdirSync('/proc/self/fd').length

describe('a stream through a pipe', () => {
  test('what a program writes is in its file, the folder being made', async () => {
    await using rig = logRig()
    const path = join(rig.dir, 'made', 'for', 'it', 'out.log')
    const output = rig.open(rig.spec({ path }))
    expect(await run(output, 'echo to stdout; echo to stderr >&2')).toBe(0)
    await waitFor(() => rig.text('made/for/it/out.log') === 'to stdout\nto stderr\n', {
      what: 'both lines, in order',
    })
    expect(statSync(join(rig.dir, 'made')).mode & 0o777).toBe(0o750 & ~process.umask())
    expect(statSync(path).mode & 0o777).toBe(0o644 & ~process.umask())
    expect(rig.said.lines).toEqual([])
  })

  test('the file is there, though empty, before the program writes', async () => {
    await using rig = logRig()
    await run(rig.open(), 'true')
    expect(await waitFor(() => statSync(rig.path).size === 0, { what: 'an empty file' })).toBe(true)
  })

  test('the same pipe serves all starts, and leaves no name behind', async () => {
    await using rig = logRig()
    const output = rig.open()
    await run(output, 'echo 1')
    const before = openFds()
    for (let n = 2; n <= 30; n += 1) await run(output, `echo ${n}`)
    const expected = Array.from({ length: 30 }, (_, n) => `${n + 1}\n`).join('')
    await waitFor(() => rig.text() === expected, { what: 'the lines of all starts' })
    expect(openFds()).toBe(before)
    expect(readdirSync(join(rig.dir, 'run'))).toEqual([])
  })

  test('a program may open /dev/stdout and /dev/stderr, as nginx and php-fpm do', async () => {
    await using rig = logRig()
    await run(rig.open(), 'echo out > /dev/stdout; echo err >> /proc/self/fd/2')
    expect(await waitFor(() => rig.text() === 'out\nerr\n', { what: 'both' })).toBe(true)
  })

  test('another user may, too', async () => {
    expect(process.getuid?.(), 'this test has to run as root, as in CI').toBe(0)
    await using rig = logRig()
    const output = rig.open()
    expect(await run(output, 'id -u; echo out > /dev/stdout; echo err > /dev/stderr', 65534)).toBe(
      0,
    )
    await waitFor(() => rig.text() === '65534\nout\nerr\n', { what: 'both' })
  })

  test('a program that makes its stdout non-blocking does not make it so for the next', async () => {
    await using rig = logRig()
    const output = rig.open()
    await run(output, `perl -MFcntl -e 'fcntl(STDOUT, F_SETFL, O_NONBLOCK|O_WRONLY) or die'`)
    const flags = 'while read name value; do [ "$name" != flags: ] || echo $value; done'
    await run(output, `${flags} < /proc/self/fdinfo/1`)
    await waitFor(() => rig.text() !== '', { what: 'the flags' })
    expect(Number.parseInt(rig.text(), 8) & 0o4000).toBe(0)
  })

  test('a program that closes its output goes on', async () => {
    await using rig = logRig()
    const output = rig.open()
    const proof = join(rig.dir, 'proof')
    expect(await run(output, `echo first; exec >&- 2>&-; sleep 0.05; echo done > ${proof}`)).toBe(0)
    expect(readFileSync(proof, 'utf8')).toBe('done\n')
    await run(output, 'echo next')
    await waitFor(() => rig.text() === 'first\nnext\n', { what: 'the next start writes' })
  })

  test('a grandchild that outlives the program still writes, beside the next start', async () => {
    await using rig = logRig()
    const output = rig.open()
    const go = join(rig.dir, 'go')
    await run(output, `(while [ ! -e ${go} ]; do sleep 0.01; done; echo late) & echo early`)
    await run(output, 'echo next')
    await waitFor(() => rig.text() === 'early\nnext\n', { what: 'two lines' })
    writeFileSync(go, '')
    expect(
      await waitFor(() => rig.text() === 'early\nnext\nlate\n', {
        what: 'the line of the grandchild',
      }),
    ).toBe(true)
  })

  test('what was written just before the end is kept when it is closed at once', async () => {
    await using rig = logRig()
    const output = rig.open()
    await run(output, 'head -c 60000 /dev/zero | tr "\\0" x; echo; echo end')
    await output.close()
    expect(rig.text()).toBe(`${'x'.repeat(60_000)}\nend\n`)
  })

  test('closing does not wait for a grandchild that never stops writing', async () => {
    await using rig = logRig()
    const output = rig.open()
    const { ended } = await start(output, 'exec yes')
    await waitFor(() => rig.text().startsWith('y\ny\n'), { what: 'it writes' })
    const began = performance.now()
    await output.close()
    expect(performance.now() - began).toBeLessThan(3000)
    // Nobody reads it any more.
    expect(await ended).toBe('SIGPIPE')
    await output.close()
  })

  test('times stand in front of lines, also of those that come in pieces', async () => {
    await using rig = logRig({
      clock: { ...realClock, now: () => Date.parse('2026-11-21T09:00:00.123Z') },
    })
    const output = rig.open(rig.spec({ timestamps: true }))
    await run(output, 'printf "one\\ntw"; sleep 0.02; printf "o\\n\\377\\000junk\\n"')
    await run(output, 'echo three')
    const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:00\\.123[+-]\\d\\d:\\d\\d'
    await waitFor(() => rig.text().endsWith('three\n'), { what: 'all lines' })
    expect(rig.text()).toMatch(
      new RegExp(`^${time} one\\n${time} two\\n${time} \\xff\\x00junk\\n${time} three\\n$`),
    )
    output.retune(rig.spec({ timestamps: false }))
    await run(output, 'echo four')
    await waitFor(() => rig.text().endsWith(' three\nfour\n'), { what: 'a line without a time' })
  })

  test('a log that was removed is made again', async () => {
    let later = 0
    const clock: Clock = { ...realClock, monotonic: () => performance.now() + later }
    await using rig = logRig({ clock })
    const output = rig.open()
    await run(output, 'echo one')
    await waitFor(() => rig.text() === 'one\n', { what: 'the first line' })
    rmSync(rig.path)
    later = 10_000
    await run(output, 'echo two')
    expect(await waitFor(() => rig.text() === 'two\n', { what: 'the file, made again' })).toBe(true)
  })

  test('many are asked for at once', async () => {
    await using rig = logRig()
    const outputs = Array.from({ length: 40 }, (_, n) =>
      rig.open(rig.spec({ path: join(rig.dir, `${n}.log`) })),
    )
    await Promise.all(outputs.map((output, n) => run(output, `echo ${n}`)))
    expect(
      await waitFor(() => outputs.every((_, n) => rig.text(`${n}.log`) === `${n}\n`), {
        what: 'each has its own',
      }),
    ).toBe(true)
  })

  test('asked for twice at once, it is one pipe', async () => {
    await using rig = logRig()
    const output = rig.open()
    const [one, other] = await Promise.all([output.descriptor(), output.descriptor()])
    const pipes = [one, other].map(({ stdio }) => readlinkSync(`/proc/self/fd/${stdio}`))
    expect(pipes[0]).toBe(pipes[1])
    one.release()
    other.release()
    one.release()
  })

  test('what an earlier daemon left of its pipes is cleared away', async () => {
    await using rig = logRig()
    mkdirSync(join(rig.dir, 'run', 'pipes-1-left'), { recursive: true })
    writeFileSync(join(rig.dir, 'run', 'pipes-1-left', '0'), 'a file in the way')
    writeFileSync(join(rig.dir, 'run', 'record.json'), '{}')
    await run(rig.open(), 'echo works')
    await waitFor(() => rig.text() === 'works\n', { what: 'the line' })
    expect(readdirSync(join(rig.dir, 'run'))).toEqual(['record.json'])
  })
})

describe('streams that go elsewhere', () => {
  test('none is /dev/null, and inherit is the descriptor of the daemon', async () => {
    await using rig = logRig()
    const none = await rig.open({ kind: 'none' }).descriptor()
    expect(none.stdio).toBe('ignore')
    const inherited = await rig.open({ kind: 'inherit', fd: 2 }).descriptor()
    expect(inherited.stdio).toBe(2)
    inherited.release()
    expect(statSync('/proc/self/fd/2')).toBeDefined()
  })

  test('one does not become another', async () => {
    await using rig = logRig()
    const through = rig.open(rig.spec())
    expect(() => through.retune({ kind: 'none' })).toThrow('cannot become none')
    expect(() => through.retune(rig.spec({ through: 'file' }))).toThrow('cannot become file')
    const inherited = rig.open({ kind: 'inherit', fd: 1 })
    expect(() => inherited.retune({ kind: 'inherit', fd: 2 })).toThrow('cannot become inherit')
    inherited.retune({ kind: 'inherit', fd: 1 })
  })
})

test('500 open streams take little memory, and are quiet', async () => {
  await using rig = logRig()
  await using child = new Measured()
  const { bytesEach, cpuMs } = await child.measure(rig.dir, 500)
  expect(bytesEach).toBeLessThan(32 * 1024)
  // Less than a millisecond on a quiet machine: the bound tells only of something that spins.
  expect(cpuMs).toBeLessThan(400)
})

/** In a process of its own, so that nothing else is measured. */
class Measured implements AsyncDisposable {
  #child: ChildProcess | undefined

  async measure(dir: string, count: number): Promise<{ bytesEach: number; cpuMs: number }> {
    const child = spawn(
      process.execPath,
      // What a young generation of 16 MB holds is garbage, and no stream's.
      ['--expose-gc', '--max-semi-space-size=1', MEASURE, dir, String(count)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    this.#child = child
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    await new Promise(resolve => child.once('close', resolve))
    return JSON.parse(text) as { bytesEach: number; cpuMs: number }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child?.kill('SIGKILL')
  }
}
