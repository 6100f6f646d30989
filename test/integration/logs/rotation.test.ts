import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { waitFor } from '../../support/wait.ts'
import { logRig, run, textOf, wholeLog } from './rig.ts'

/** Lines of ten bytes: `line 0001\n`. */
const lines = (from: number, to: number) =>
  `i=${from}; while [ $i -le ${to} ]; do printf 'line %04d\\n' $i; i=$((i + 1)); done`
const line = (n: number) => `line ${String(n).padStart(4, '0')}\n`
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => line(from + n)).join('')

const files = (dir: string) => readdirSync(dir).filter(name => name.startsWith('out.log'))

describe('rotation of what goes through a pipe', () => {
  test('a file is full to its last byte, then it becomes .1, and so on, up to the number kept', async () => {
    await using rig = logRig()
    const output = rig.open(rig.spec({ maxBytes: 100, backups: 3 }))
    await run(output, lines(1, 10))
    await waitFor(() => rig.text() === range(1, 10), { what: 'ten lines, not rotated' })
    await run(output, lines(11, 75))
    await waitFor(() => rig.text() === range(71, 75), { what: 'the last lines' })
    expect(rig.text('out.log.1')).toBe(range(61, 70))
    expect(rig.text('out.log.2')).toBe(range(51, 60))
    expect(rig.text('out.log.3')).toBe(range(41, 50))
    expect(files(rig.dir).toSorted()).toEqual(['out.log', 'out.log.1', 'out.log.2', 'out.log.3'])
  })

  test('with no backups the file is begun again', async () => {
    await using rig = logRig()
    const output = rig.open(rig.spec({ maxBytes: 100, backups: 0 }))
    await run(output, lines(1, 23))
    await waitFor(() => rig.text() === range(21, 23), { what: 'the last lines' })
    expect(files(rig.dir)).toEqual(['out.log'])
  })

  test('with no limit it is never rotated', async () => {
    await using rig = logRig()
    await run(rig.open(rig.spec({ maxBytes: 0 })), 'head -c 3000000 /dev/zero')
    await waitFor(() => statSync(rig.path).size === 3_000_000, { what: 'all of it' })
    expect(files(rig.dir)).toEqual(['out.log'])
  })

  test('a file that was there is gone on with, and counts', async () => {
    await using rig = logRig()
    writeFileSync(rig.path, range(1, 9))
    await run(rig.open(rig.spec({ maxBytes: 100 })), lines(10, 11))
    await waitFor(() => rig.text() === line(11), { what: 'the second new line' })
    expect(rig.text('out.log.1')).toBe(range(1, 10))
  })

  test('a line that comes in pieces stays in one file, though that grows by the rest of it', async () => {
    await using rig = logRig()
    const output = rig.open(rig.spec({ maxBytes: 100 }))
    await run(output, `${lines(1, 9)}; printf 'begun'`)
    await waitFor(() => rig.text().endsWith('begun'), { what: 'the first piece' })
    await run(output, `printf ' and ended\\nnext\\n'`)
    await waitFor(() => rig.text() === 'next\n', { what: 'the next line' })
    expect(rig.text('out.log.1')).toBe(`${range(1, 9)}begun and ended\n`)
  })

  test('a line longer than a file may be is cut, and nothing of it is lost', async () => {
    await using rig = logRig()
    await run(rig.open(rig.spec({ maxBytes: 100, backups: 20 })), `printf '%01000d\\nend\\n' 7`)
    await waitFor(() => wholeLog(rig.dir).endsWith('end\n'), { what: 'all of it' })
    expect(wholeLog(rig.dir)).toBe(`${'7'.padStart(1000, '0')}\nend\n`)
    for (const name of files(rig.dir)) expect(rig.text(name).length).toBeLessThanOrEqual(200)
  })

  test('fewer backups than before: the oldest go; other files beside the log stay', async () => {
    await using rig = logRig()
    for (const n of [1, 2, 3, 4, 5]) writeFileSync(`${rig.path}.${n}`, `old ${n}\n`)
    for (const name of ['20261121', 'bak', '7']) writeFileSync(`${rig.path}.${name}`, 'mine')
    const output = rig.open(rig.spec({ maxBytes: 100, backups: 2 }))
    await run(output, lines(1, 11))
    await waitFor(() => rig.text() === line(11), { what: 'a rotation' })
    expect(rig.text('out.log.1')).toBe(range(1, 10))
    expect(rig.text('out.log.2')).toBe('old 1\n')
    expect(files(rig.dir).toSorted()).toEqual(
      ['', '.1', '.2', '.20261121', '.7', '.bak'].map(end => `out.log${end}`).toSorted(),
    )
  })

  test('a gap in the row is filled, and what lies behind it does not move', async () => {
    await using rig = logRig()
    for (const n of [1, 3]) writeFileSync(`${rig.path}.${n}`, `old ${n}\n`)
    await run(rig.open(rig.spec({ maxBytes: 100 })), lines(1, 11))
    await waitFor(() => rig.text() === line(11), { what: 'a rotation' })
    expect(rig.text('out.log.2')).toBe('old 1\n')
    expect(rig.text('out.log.3')).toBe('old 3\n')
  })

  test('a new size or number of backups is in force at once', async () => {
    await using rig = logRig()
    const output = rig.open(rig.spec({ maxBytes: 0 }))
    await run(output, lines(1, 30))
    await waitFor(() => rig.text() === range(1, 30), { what: 'one file' })
    output.retune(rig.spec({ maxBytes: 100, backups: 1 }))
    await run(output, lines(31, 45))
    await waitFor(() => rig.text() === range(41, 45), { what: 'smaller files' })
    expect(rig.text('out.log.1')).toBe(range(31, 40))
    expect(files(rig.dir)).toHaveLength(2)
  })

  test('two streams in one file share its rotation and lose nothing', async () => {
    await using rig = logRig()
    const spec = rig.spec({ maxBytes: 200, backups: 100 })
    const [one, other] = [rig.open(spec), rig.open(spec)]
    await Promise.all([run(one, lines(1, 300)), run(other, lines(1001, 1300))])
    const all = () => wholeLog(rig.dir).split('\n').filter(Boolean).toSorted().join('\n')
    const expected = `${range(1, 300)}${range(1001, 1300)}`.trimEnd()
    await waitFor(() => all() === expected, { what: 'every line of both' })
    await one.close()
    await run(other, 'echo the other goes on')
    await waitFor(() => rig.text().endsWith('the other goes on\n'), { what: 'the other goes on' })
    expect(one.dropped + other.dropped).toBe(0)
  })

  test('when renaming is refused the log grows on and says so once', async () => {
    await using rig = logRig()
    // A folder in the way of the file that is to become .1, which no rename replaces.
    const output = rig.open(rig.spec({ maxBytes: 100, backups: 1, path: join(rig.dir, 'a.log') }))
    await run(output, lines(1, 1))
    await waitFor(() => textOf(join(rig.dir, 'a.log')) === line(1), { what: 'the file' })
    rmSync(join(rig.dir, 'a.log.1'), { force: true })
    mkdirSync(join(rig.dir, 'a.log.1', 'full'), { recursive: true })
    await run(output, lines(2, 50))
    await waitFor(() => textOf(join(rig.dir, 'a.log')) === range(1, 50), { what: 'all lines' })
    expect(rig.said.lines.filter(one => one.message.includes('cannot rotate'))).toHaveLength(1)
    expect(output.dropped).toBe(0)
  })
})

describe('gzip', () => {
  test('old files are compressed one by one, in order, with nothing left over', async () => {
    await using rig = logRig()
    const output = rig.open(rig.spec({ maxBytes: 100, backups: 4, gzip: true }))
    await run(output, lines(1, 64))
    await waitFor(
      () =>
        files(rig.dir).toSorted().join(' ') ===
        'out.log out.log.1.gz out.log.2.gz out.log.3.gz out.log.4.gz',
      { what: 'all old files are compressed' },
    )
    expect(wholeLog(rig.dir)).toBe(range(21, 64))
    expect(rig.text('out.log.1.gz')).toBe(range(51, 60))
  })

  test('rotation goes on while a large file is compressed, and each keeps its place', async () => {
    await using rig = logRig()
    const size = 4_000_000
    writeFileSync(rig.path, `${'x'.repeat(size - 1)}\n`)
    const output = rig.open(rig.spec({ maxBytes: size, backups: 9, gzip: true }))
    await run(output, lines(1, 1))
    await waitFor(() => rig.text() === line(1), { what: 'the large one is rotated' })
    output.retune(rig.spec({ maxBytes: 100, backups: 9, gzip: true }))
    await run(output, lines(2, 45))
    await waitFor(() => rig.text() === range(41, 45), { what: 'the small ones, too' })
    await waitFor(() => files(rig.dir).every(name => name === 'out.log' || name.endsWith('.gz')), {
      what: 'all old files are compressed',
    })
    const whole = wholeLog(rig.dir)
    expect(whole.slice(whole.indexOf('\n') + 1)).toBe(range(1, 45))
    expect(whole.indexOf('\n')).toBe(size - 1)
  })

  test('switched on and off: plain and compressed ones stay in one row', async () => {
    await using rig = logRig()
    const output = rig.open(rig.spec({ maxBytes: 100, backups: 5 }))
    await run(output, lines(1, 31))
    await waitFor(() => rig.text() === line(31), { what: 'three plain ones' })
    output.retune(rig.spec({ maxBytes: 100, backups: 5, gzip: true }))
    await run(output, lines(32, 41))
    await waitFor(() => files(rig.dir).filter(name => name.endsWith('.gz')).length === 4, {
      what: 'the plain ones are compressed too',
    })
    output.retune(rig.spec({ maxBytes: 100, backups: 5 }))
    await run(output, lines(42, 61))
    await waitFor(() => rig.text() === line(61), { what: 'two more, plain' })
    expect(files(rig.dir).toSorted()).toEqual(
      ['', '.1', '.2', '.3.gz', '.4.gz', '.5.gz'].map(end => `out.log${end}`),
    )
    expect(wholeLog(rig.dir)).toBe(range(11, 61))
  })

  test('what a killed daemon left half compressed is seen to with the next rotation', async () => {
    await using rig = logRig()
    writeFileSync(`${rig.path}.1`, 'left\n')
    writeFileSync(`${rig.path}.gz.tmp`, 'half of a file')
    await run(rig.open(rig.spec({ maxBytes: 100, gzip: true })), lines(1, 11))
    await waitFor(() => rig.text('out.log.2.gz') === 'left\n', { what: 'the old one too' })
    await waitFor(() => files(rig.dir).join(' ') === 'out.log out.log.1.gz out.log.2.gz', {
      what: 'nothing else is left',
    })
    expect(rig.said.lines).toEqual([])
  })
})

describe('reopening', () => {
  test('after an outside logrotate has moved the file, output goes to a new one', async () => {
    await using rig = logRig()
    const output = rig.open()
    await run(output, 'echo before')
    await waitFor(() => rig.text() === 'before\n', { what: 'the first line' })
    renameSync(rig.path, `${rig.path}.moved`)
    await run(output, 'echo between')
    await waitFor(() => rig.text('out.log.moved') === 'before\nbetween\n', { what: 'still there' })
    output.reopen()
    await waitFor(() => files(rig.dir).includes('out.log'), { what: 'the new file, at once' })
    await run(output, 'echo after')
    await waitFor(() => rig.text() === 'after\n', { what: 'the line in the new file' })
    expect(rig.text('out.log.moved')).toBe('before\nbetween\n')
  })

  test('a new path is in force at once', async () => {
    await using rig = logRig()
    const output = rig.open()
    await run(output, 'echo one')
    await waitFor(() => rig.text() === 'one\n', { what: 'the old file' })
    output.retune(rig.spec({ path: join(rig.dir, 'new', 'deep', 'out.log') }))
    await run(output, 'echo two')
    await waitFor(() => rig.text('new/deep/out.log') === 'two\n', { what: 'the new file' })
    expect(rig.text()).toBe('one\n')
  })

  test('two that are rotated by hand and by size do not overwrite each other', async () => {
    await using rig = logRig()
    const output = rig.open(rig.spec({ maxBytes: 100 }))
    await run(output, lines(1, 10))
    await waitFor(() => rig.text() === range(1, 10), { what: 'a full file' })
    // Somebody moved it, made it anew, and did not tell us: that one is not to be moved away.
    renameSync(rig.path, `${rig.path}.theirs`)
    writeFileSync(rig.path, 'new\n')
    await run(output, lines(11, 12))
    await waitFor(() => rig.text() === `new\n${range(11, 12)}`, { what: 'the new file is used' })
    expect(readFileSync(`${rig.path}.theirs`, 'latin1')).toBe(range(1, 10))
    expect(files(rig.dir)).not.toContain('out.log.1')
  })
})

test('whatever chunks come and however they are rotated, no byte is lost or doubled', async () => {
  const chunk = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\n'), maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(chunk, { maxLength: 25 }),
      fc.integer({ min: 1, max: 60 }),
      fc.boolean(),
      fc.array(fc.boolean(), { maxLength: 25 }),
      async (chunks, maxBytes, gzip, pauses) => {
        await using rig = logRig()
        const output = rig.open(rig.spec({ maxBytes, backups: 1200, gzip }))
        const given = await output.descriptor()
        for (const [n, text] of chunks.entries()) {
          writeSync(Number(given.stdio), text)
          if (pauses[n]) await new Promise(resolve => setImmediate(resolve))
        }
        given.release()
        await output.close()
        await rig.logs.stop()
        expect(wholeLog(rig.dir)).toBe(chunks.join(''))
      },
    ),
    { numRuns: 150 },
  )
})
