import { execFileSync, spawn } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import { type TailFileOptions, tailFile } from '../../../src/logs/tail.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { waitFor } from '../../support/wait.ts'

type Options = Partial<TailFileOptions>

async function all(path: string, options: Options = {}): Promise<string> {
  let text = ''
  for await (const block of tailFile(path, { follow: false, clock: realClock, ...options }))
    text += block.toString('latin1')
  return text
}

/** Follows in the background, and keeps what it is given. */
function following(path: string, options: Options = {}) {
  const stop = new AbortController()
  const seen = { text: '' }
  const reading = (async () => {
    const given = { follow: true, clock: realClock, signal: stop.signal, ...options }
    for await (const block of tailFile(path, given)) seen.text += block.toString('latin1')
  })()
  return {
    seen,
    until: (text: string) => waitFor(() => seen.text === text, { what: JSON.stringify(text) }),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await reading
    },
  }
}

describe('the end of a file', () => {
  test('is its last ten lines, or as many as are asked for', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.log')
    writeFileSync(path, Array.from({ length: 30 }, (_, n) => `${n}\n`).join(''))
    expect(await all(path)).toBe('20\n21\n22\n23\n24\n25\n26\n27\n28\n29\n')
    expect(await all(path, { lines: 2 })).toBe('28\n29\n')
    expect(await all(path, { lines: 0 })).toBe('')
    expect((await all(path, { lines: 1000 })).split('\n')).toHaveLength(31)
    expect(await all(path, { bytes: 5 })).toBe('8\n29\n'.slice(-5))
    expect(await all(path, { bytes: 4, lines: 5 })).toBe('\n29\n')
    expect(await all(path, { bytes: 1000, lines: 1 })).toBe('29\n')
  })

  test('a line without an end is a line', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.log')
    writeFileSync(path, 'one\ntwo\nthree')
    expect(await all(path, { lines: 2 })).toBe('two\nthree')
  })

  test('of any file, and any number, is what tail(1) says', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.log')
    const line = fc.string({ unit: fc.constantFrom('a', '\n', '\0', 'b'), maxLength: 30 })
    const long = fc.nat(70_000).map(length => 'x'.repeat(length))
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ weight: 4, arbitrary: line }, long), { maxLength: 8 }),
        fc.nat(12),
        async (parts, lines) => {
          writeFileSync(path, parts.join(''))
          const expected = execFileSync('tail', ['-n', String(lines), path]).toString('latin1')
          expect((await all(path, { lines })) === expected).toBe(true)
        },
      ),
      { numRuns: 150 },
    )
  })

  test('of 10 GB is found at once', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.log')
    writeFileSync(path, '')
    truncateSync(path, 10e9)
    appendFileSync(path, '\nlast but one\nlast\n')
    const began = performance.now()
    expect(await all(path, { lines: 2 })).toBe('last but one\nlast\n')
    expect(performance.now() - began).toBeLessThan(500)
  })

  test('of a file that is not there is empty', async () => {
    await using dir = tempDir()
    expect(await all(join(dir.path, 'none'))).toBe('')
  })

  test('of what is not a file is refused, without waiting for it', async () => {
    await using dir = tempDir()
    const fifo = join(dir.path, 'fifo')
    execFileSync('mkfifo', [fifo])
    await expect(all(fifo)).rejects.toThrow('is not a file')
    await expect(all('/dev/null', { follow: true })).rejects.toThrow('is not a file')
    await expect(all(dir.path)).rejects.toThrow('is not a file')
  })
})

describe('following', () => {
  test('gives what is appended, in the pieces in which it comes', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.log')
    writeFileSync(path, 'old\nolder\n')
    await using tail = following(path, { lines: 1 })
    await tail.until('older\n')
    appendFileSync(path, 'ne')
    await tail.until('older\nne')
    appendFileSync(path, 'w\n')
    expect(await tail.until('older\nnew\n')).toBe(true)
  })

  test('waits for a file that is not there yet', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.log')
    await using tail = following(path)
    writeFileSync(path, 'here\n')
    expect(await tail.until('here\n')).toBe(true)
  })

  test('over a rotation by renaming nothing is lost or given twice', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.log')
    writeFileSync(path, '1\n')
    await using tail = following(path)
    await tail.until('1\n')
    appendFileSync(path, '2\n')
    renameSync(path, `${path}.1`)
    writeFileSync(path, '3\n')
    await tail.until('1\n2\n3\n')
    renameSync(path, `${path}.1`)
    appendFileSync(`${path}.1`, '4\n')
    await tail.until('1\n2\n3\n4\n')
    writeFileSync(path, '5\n')
    expect(await tail.until('1\n2\n3\n4\n5\n')).toBe(true)
  })

  test('over copy and truncate', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.log')
    writeFileSync(path, 'before\n')
    await using tail = following(path)
    await tail.until('before\n')
    copyFileSync(path, `${path}.1`)
    truncateSync(path)
    appendFileSync(path, 'new\n')
    expect(await tail.until('before\nnew\n')).toBe(true)
  })

  test('over its removal, with its folder', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'sub', 'a.log')
    mkdirSync(join(dir.path, 'sub'))
    writeFileSync(path, 'before\n')
    await using tail = following(path)
    await tail.until('before\n')
    rmSync(join(dir.path, 'sub'), { recursive: true })
    mkdirSync(join(dir.path, 'sub'))
    writeFileSync(path, 'after\n')
    expect(await tail.until('before\nafter\n')).toBe(true)
  })

  test('ends when its reader leaves, and closes the file', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.log')
    writeFileSync(path, 'x\n')
    for await (const block of tailFile(path, { follow: true, clock: realClock })) {
      expect(block.toString()).toBe('x\n')
      break
    }
    const held = execFileSync('sh', ['-c', `ls -l /proc/${process.pid}/fd`]).toString()
    expect(held).not.toContain(path)
  })

  test('an aborted one gives nothing more', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.log')
    writeFileSync(path, 'x\n')
    expect(await all(path, { follow: true, signal: AbortSignal.abort() })).toBe('')
  })

  test('a reader that is slow holds up only itself: nothing is read ahead', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.log')
    writeFileSync(path, '')
    const fd = openSync(path, 'a')
    for (let n = 0; n < 100; n += 1) writeSync(fd, Buffer.alloc(1 << 20, 120))
    closeSync(fd)
    const blocks = tailFile(path, { follow: false, bytes: 100 << 20, clock: realClock })
    const before = process.memoryUsage().arrayBuffers
    let bytes = 0
    let most = 0
    for await (const block of blocks) {
      bytes += block.length
      if (bytes < 1 << 20) most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    }
    expect(bytes).toBe(100 << 20)
    expect(most).toBeLessThan(8 << 20)
  })

  test('a waiting one takes next to no time of the processor', async () => {
    await using dir = tempDir()
    const path = join(dir.path, 'a.log')
    writeFileSync(path, 'x\n')
    await using tail = following(path)
    await tail.until('x\n')
    const used = process.cpuUsage()
    const child = spawn('sleep', ['1'])
    await new Promise(resolve => child.once('exit', resolve))
    const { user, system } = process.cpuUsage(used)
    expect((user + system) / 1000).toBeLessThan(100)
  })
})
