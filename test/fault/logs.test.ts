import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { logRig, run, start, textOf, wholeLog } from '../integration/logs/rig.ts'
import { smallDisk } from '../support/small-disk.ts'
import { waitFor } from '../support/wait.ts'

const NOTE = /taskd: (\d+) bytes of output were lost from \S+ to \S+: .*\n/

const lines = (from: number, to: number) =>
  `i=${from}; while [ $i -le ${to} ]; do echo "line $i"; i=$((i + 1)); done`

describe('a full disk', () => {
  it('holds up no program; what is lost is counted, told once, and noted in the log', async () => {
    await using disk = smallDisk('1m')
    await using rig = logRig({ dir: disk.path })
    const output = rig.open()
    await run(output, lines(1, 100))
    await waitFor(() => rig.text().endsWith('line 100\n'), { what: 'the log before' })
    const before = rig.text()
    const ballast = disk.fill()
    const began = performance.now()
    const noise = 3_000_000
    expect(
      await run(output, `head -c ${noise} /dev/zero | tr '\\0' x; echo; echo last of it`),
    ).toBe(0)
    expect(performance.now() - began).toBeLessThan(2000)
    await waitFor(() => output.dropped > 2_000_000, { what: 'bytes are counted' })
    expect(rig.said.lines).toMatchObject([{ level: 'warn' }])
    expect(rig.said.has('its disk is full; make room (ENOSPC)')).toBe(true)

    // Nobody does anything but make room.
    rmSync(ballast)
    await waitFor(() => NOTE.test(rig.text()), { what: 'it writes again by itself, and says so' })
    expect(NOTE.exec(rig.text())?.[1]).toBe(String(output.dropped))
    expect(rig.said.lines).toHaveLength(2)
    expect(rig.said.has(`is written again; ${output.dropped} bytes`)).toBe(true)
    await run(output, 'echo after')
    await waitFor(() => rig.text().endsWith('\nafter\n'), { what: 'it goes on' })
    const kept = rig.text().replace(`\n${NOTE.exec(rig.text())?.[0]}`, '')
    const all = before.length + noise + '\nlast of it\n'.length + 'after\n'.length
    expect(kept.length + output.dropped).toBe(all)
    expect(rig.text().startsWith(before)).toBe(true)
  })

  it('is not waited for when all that it costs still fits into memory: nothing is lost', async () => {
    await using disk = smallDisk('1m')
    await using rig = logRig({ dir: disk.path })
    const output = rig.open()
    await run(output, 'echo before')
    await waitFor(() => rig.text() === 'before\n', { what: 'the log before' })
    const ballast = disk.fill()
    await run(output, lines(1, 2000))
    await waitFor(() => rig.said.has('ENOSPC'), { what: 'it is told' })
    rmSync(ballast)
    const whole = Array.from({ length: 2000 }, (_, n) => `line ${n + 1}\n`).join('')
    await waitFor(() => rig.text() === `before\n${whole}`, { what: 'all of it, by itself' })
    expect(output.dropped).toBe(0)
    expect(rig.said.has('is written again; 0 bytes of output dropped')).toBe(true)
  })

  it('gets its room back when somebody removes the log itself', async () => {
    await using disk = smallDisk('1m')
    await using rig = logRig({ dir: disk.path })
    const output = rig.open()
    await run(output, `head -c 2000000 /dev/zero | tr '\\0' x`)
    await waitFor(() => rig.said.has('ENOSPC'), { what: 'the log has filled the disk' })
    rmSync(rig.path)
    await waitFor(() => NOTE.test(rig.text()), { what: 'it is begun anew' })
    expect(rig.text().length).toBeLessThan(330_000)
  })

  it('in the middle of a rotation loses nothing that was written', async () => {
    await using disk = smallDisk('1m')
    await using rig = logRig({ dir: disk.path })
    const output = rig.open(rig.spec({ maxBytes: 100_000, backups: 50, gzip: true }))
    await run(output, lines(1, 20_000))
    await waitFor(() => wholeLog(rig.dir).endsWith('line 20000\n'), { what: 'all lines' })
    const ballast = disk.fill()
    await run(output, lines(20_001, 40_000))
    rmSync(ballast)
    const expected = Array.from({ length: 40_000 }, (_, n) => `line ${n + 1}\n`).join('')
    // For a moment an old file is there twice, as it was and compressed.
    await waitFor(() => wholeLog(rig.dir) === expected, { what: 'it goes on, and all is there' })
    expect(output.dropped).toBe(0)
  })

  it('does not keep a program from being started', async () => {
    await using disk = smallDisk('1m')
    disk.fill()
    await using rig = logRig({ dir: disk.path })
    const output = rig.open(rig.spec({ path: join(disk.path, 'new', 'out.log') }))
    expect(await run(output, 'echo x')).toBe(0)
    await waitFor(() => rig.said.lines.length > 0, { what: 'it is told' })
    const direct = rig.open(rig.spec({ path: join(disk.path, 'b', 'out.log'), through: 'file' }))
    expect(await run(direct, 'echo x; true')).toBe(0)
  })
})

test('a log that refuses every byte is counted, and closed in time', async () => {
  await using rig = logRig()
  const output = rig.open(rig.spec({ path: '/dev/full' }))
  await run(output, 'head -c 2000000 /dev/zero')
  await waitFor(() => output.dropped > 1_000_000, { what: 'bytes are counted' })
  await output.close()
  expect(rig.said.lines.filter(line => line.message.includes('cannot write'))).toHaveLength(1)
  expect(rig.said.has('were not written before its end')).toBe(true)
})

describe('a FIFO as log', () => {
  it('that nobody reads neither hangs nor blocks; its reader may come later', async () => {
    await using rig = logRig()
    execFileSync('mkfifo', [rig.path])
    const output = rig.open(rig.spec({ maxBytes: 10 }))
    expect(await run(output, 'echo one')).toBe(0)
    await waitFor(() => rig.said.has('start its reader (ENXIO)'), { what: 'it is told' })
    const reader = openSync(rig.path, constants.O_RDONLY | constants.O_NONBLOCK)
    await waitFor(() => readAll(reader) === 'one\n', { what: 'the reader gets it' })
    closeSync(reader)
    expect(readdirSync(rig.dir)).not.toContain('out.log.1')
  })

  it('whose reader is stuck holds up the program for a moment only, and goes on with it', async () => {
    await using rig = logRig()
    execFileSync('mkfifo', [rig.path])
    const reader = openSync(rig.path, constants.O_RDONLY | constants.O_NONBLOCK)
    const output = rig.open()
    const total = 2_000_000
    const began = performance.now()
    expect(await run(output, `head -c ${total} /dev/zero | tr '\\0' x`)).toBe(0)
    expect(performance.now() - began).toBeLessThan(4000)
    await waitFor(() => output.dropped > 1_000_000, { what: 'bytes are counted' })
    expect(rig.said.lines.filter(line => line.level === 'warn')).toHaveLength(1)
    expect(rig.said.has('does not keep up with the output')).toBe(true)
    let read = ''
    await waitFor(
      () => {
        read += readAll(reader)
        return NOTE.test(read)
      },
      { what: 'the rest, and the note of what is missing' },
    )
    const kept = read.replace(`\n${NOTE.exec(read)?.[0]}`, '')
    expect(kept.length + output.dropped).toBe(total)
    closeSync(reader)
  })
})

function readAll(fd: number): string {
  const block = Buffer.alloc(1 << 16)
  let text = ''
  for (;;)
    try {
      const bytes = readSync(fd, block)
      if (bytes === 0) return text
      text += block.toString('latin1', 0, bytes)
    } catch {
      return text
    }
}

test('200 MB of a hostile program: memory stays flat, and every byte is kept', async () => {
  await using rig = logRig()
  const output = rig.open(rig.spec({ maxBytes: 20_000_000, backups: 20 }))
  await run(output, 'head -c 5000000 /dev/zero')
  const { ended } = await start(output, 'head -c 200000000 /dev/zero')
  const rss = process.memoryUsage.rss()
  let most = 0
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss() - rss)
  }, 5)
  expect(await ended).toBe(0)
  const sizes = () =>
    readdirSync(rig.dir)
      .filter(name => name.startsWith('out.log'))
      .reduce((sum, name) => sum + statSync(join(rig.dir, name)).size, 0)
  await waitFor(() => sizes() === 205_000_000, { timeoutMs: 60_000, what: 'all of it' })
  clearInterval(watch)
  expect(most).toBeLessThan(60 << 20)
  expect(output.dropped).toBe(0)
})

test('lines with times, as fast as they come: none is lost', async () => {
  await using rig = logRig()
  const output = rig.open(rig.spec({ timestamps: true, maxBytes: 3_000_000, backups: 100 }))
  expect(await run(output, `yes 'a line of output' | head -n 300000`)).toBe(0)
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d a line of output$/
  const all = () => wholeLog(rig.dir).split('\n')
  await waitFor(() => all().length === 300_001, { timeoutMs: 30_000, what: 'all of them' })
  expect(
    all()
      .slice(0, -1)
      .filter(line => !time.test(line)),
  ).toEqual([])
  expect(output.dropped).toBe(0)
})

test('300,000 writes of one byte take no more memory than they may', async () => {
  await using rig = logRig()
  const output = rig.open(rig.spec({ path: '/dev/full', timestamps: true }))
  const rss = process.memoryUsage.rss()
  await run(output, `perl -e '$| = 1; print "\\n" for 1..300000'`)
  await waitFor(() => output.dropped > 100_000, { what: 'bytes are counted' })
  expect(process.memoryUsage.rss() - rss).toBeLessThan(40 << 20)
})

test('a folder or a path that is no path is told once, with what to do', async () => {
  await using rig = logRig()
  mkdirSync(join(rig.dir, 'folder'))
  writeFileSync(join(rig.dir, 'plain'), '')
  const folder = rig.open(rig.spec({ path: join(rig.dir, 'folder') }))
  const below = rig.open(rig.spec({ path: join(rig.dir, 'plain', 'out.log') }))
  for (const output of [folder, below, folder, below]) await run(output, 'echo lost')
  await waitFor(() => rig.said.lines.length === 2, { what: 'both are told' })
  expect(rig.said.has('it is a folder; name a file in it (EISDIR)')).toBe(true)
  expect(rig.said.has('a part of its path is not a folder (ENOTDIR)')).toBe(true)
  rmSync(join(rig.dir, 'folder'), { recursive: true })
  await waitFor(() => textOf(join(rig.dir, 'folder')) === 'lost\nlost\n', {
    what: 'mended, it is written by itself',
  })
})
