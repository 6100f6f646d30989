import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { waitFor } from '../../support/wait.ts'
import { logRig, run, start, wholeLog } from './rig.ts'

test('the program has the file itself, for appending, and blocking as it expects', async () => {
  await using rig = logRig()
  writeFileSync(rig.path, 'before\n')
  const output = rig.open(rig.spec({ through: 'file' }))
  await run(output, 'readlink /proc/self/fd/1; echo again > /dev/null; echo out')
  await run(output, 'grep flags /proc/self/fdinfo/1')
  const [before, link, out, flags = ''] = rig.text().split('\n')
  expect([before, link, out]).toEqual(['before', rig.path, 'out'])
  const bits = Number.parseInt(flags.split('\t')[1] ?? '', 8)
  expect([bits & 0o2000, bits & 0o4000]).toEqual([0o2000, 0])
})

test('it is looked at every 5 s, and copied and cut when too large; the program goes on', async () => {
  const time = fakeClock()
  await using rig = logRig({ clock: time.clock })
  const output = rig.open(rig.spec({ through: 'file', maxBytes: 100, backups: 2 }))
  const go = join(rig.dir, 'go')
  const wait = (n: number) => `while [ ! -e ${go}${n} ]; do sleep 0.01; done`
  const fill = (letter: string) => `printf '%0119d\\n' 0 | tr 0 ${letter}`
  const { ended } = await start(
    output,
    `${fill('a')}; ${wait(1)}; ${fill('b')}; ${wait(2)}; ${fill('c')}; ${wait(3)}; echo end`,
  )
  const full = (letter: string) => `${letter.repeat(119)}\n`
  for (const [n, letter] of ['a', 'b', 'c'].entries()) {
    await waitFor(() => rig.text() === full(letter), { what: `the file is full of ${letter}` })
    await waitFor(
      async () => {
        await time.advance(5000)
        return rig.text('out.log.1') === full(letter) && rig.text() === ''
      },
      { what: 'it is rotated' },
    )
    writeFileSync(`${go}${n + 1}`, '')
  }
  expect(await ended).toBe(0)
  expect(rig.text()).toBe('end\n')
  expect(wholeLog(rig.dir)).toBe(`${full('b')}${full('c')}end\n`)
  expect(readdirSync(rig.dir).filter(name => name.endsWith('.tmp'))).toEqual([])
})

test('old ones are compressed; with no backups it is only cut', async () => {
  const time = fakeClock()
  await using rig = logRig({ clock: time.clock })
  const output = rig.open(rig.spec({ through: 'file', maxBytes: 10, gzip: true }))
  await run(output, 'echo 0123456789')
  await waitFor(
    async () => {
      await time.advance(5000)
      return rig.text('out.log.1.gz') === '0123456789\n'
    },
    { what: 'the old file is compressed' },
  )
  expect(rig.text()).toBe('')
  output.retune(rig.spec({ through: 'file', maxBytes: 10, backups: 0 }))
  await run(output, 'echo 9876543210')
  await waitFor(
    async () => {
      await time.advance(5000)
      return rig.text() === ''
    },
    { what: 'it is cut' },
  )
  expect(wholeLog(rig.dir)).toBe('0123456789\n')
})

test('of a program that writes while it is copied, all but what comes in the last moment is kept', async () => {
  const time = fakeClock()
  await using rig = logRig({ clock: time.clock })
  const output = rig.open(rig.spec({ through: 'file', maxBytes: 20_000, backups: 1000 }))
  const stop = join(rig.dir, 'stop')
  const { ended } = await start(
    output,
    `i=0; while [ ! -e ${stop} ]; do echo "line $i"; i=$((i + 1)); done`,
  )
  const old = () => readdirSync(rig.dir).filter(name => /\.\d+$/.test(name)).length
  await waitFor(
    async () => {
      await time.advance(5000)
      return old() >= 5
    },
    { what: 'five rotations' },
  )
  writeFileSync(stop, '')
  expect(await ended).toBe(0)
  const numbers = await waitFor(
    () => {
      const found = wholeLog(rig.dir)
        .split('\n')
        .filter(Boolean)
        .map(line => Number(/^line (\d+)$/.exec(line)?.[1]))
      // A rotation that is going on has its copy in place before the file is cut.
      expect(found).toEqual([...new Set(found)].toSorted((one, other) => one - other))
      return found
    },
    { what: 'each line is there once, in its order' },
  )
  const lost = (numbers.at(-1) ?? 0) + 1 - numbers.length
  expect(lost / numbers.length).toBeLessThan(0.05)
})

test('a quiet one is looked at ever more seldom, down to once a minute', async () => {
  const time = fakeClock()
  await using rig = logRig({ clock: time.clock })
  const output = rig.open(rig.spec({ through: 'file', maxBytes: 10 }))
  await run(output, 'true')
  // The looks happen after 5, 10, 20, 35 … s; each takes a turn or two of the real disk.
  for (let n = 0; n < 200; n += 1) {
    await time.advance(5000)
    await realClock.sleep(0)
  }
  appendFileSync(rig.path, '0123456789\n')
  let turns = 0
  await waitFor(
    async () => {
      turns += 1
      await time.advance(5000)
      await realClock.sleep(5)
      return rig.text('out.log.1') !== ''
    },
    { what: 'it is rotated all the same' },
  )
  expect(turns).toBeLessThanOrEqual(20)
})

test('a log that cannot be opened does not keep the program from starting, and is told', async () => {
  await using rig = logRig()
  mkdirSync(rig.path)
  const output = rig.open(rig.spec({ through: 'file' }))
  expect(await run(output, 'echo lost')).toBe(0)
  expect(rig.said.has('it is a folder; name a file in it (EISDIR)')).toBe(true)
})

test('a FIFO or a device in place of the file neither hangs nor is rotated', async () => {
  await using rig = logRig()
  const fifo = join(rig.dir, 'fifo')
  execFileSync('mkfifo', [fifo])
  const output = rig.open(rig.spec({ through: 'file', path: fifo, maxBytes: 1 }))
  expect(await run(output, 'echo lost')).toBe(0)
  expect(rig.said.has('start its reader (ENXIO)')).toBe(true)
  const device = rig.open(rig.spec({ through: 'file', path: '/dev/null', maxBytes: 1 }))
  expect(await run(device, 'echo gone')).toBe(0)
  expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
})

test('a new path is for the next start', async () => {
  await using rig = logRig()
  const output = rig.open(rig.spec({ through: 'file' }))
  await run(output, 'echo one')
  output.retune(rig.spec({ through: 'file', path: join(rig.dir, 'other.log') }))
  output.reopen()
  await run(output, 'echo two')
  expect([rig.text(), readFileSync(join(rig.dir, 'other.log'), 'utf8')]).toEqual(['one\n', 'two\n'])
})
