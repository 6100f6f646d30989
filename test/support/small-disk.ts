import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { tempDir } from './temp-dir.ts'

export interface SmallDisk extends AsyncDisposable {
  readonly path: string
  /** Takes every byte that is left. @returns the file that holds them */
  fill(): string
}

/** Those that still stand: the last moment takes them away, before their folders go. */
const standing = new Set<string>()

process.prependOnceListener('exit', () => {
  for (const path of standing) unmount(path)
})

const unmount = (path: string) => execFileSync('umount', ['--lazy', path])

/** A disk of its own, which goes with the test. */
export function smallDisk(size: string): SmallDisk {
  const folder = tempDir('taskd-disk-')
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder.path])
  } catch (error) {
    throw new Error('cannot mount a tmpfs: this test has to run as root, as in CI', {
      cause: error,
    })
  }
  standing.add(folder.path)
  return {
    path: folder.path,
    fill() {
      const file = join(folder.path, 'ballast')
      const fd = openSync(file, 'w')
      try {
        for (let bytes = 1 << 20; bytes >= 1; )
          try {
            writeSync(fd, Buffer.alloc(bytes))
          } catch {
            bytes >>= 1
          }
      } finally {
        closeSync(fd)
      }
      return file
    },
    async [Symbol.asyncDispose]() {
      standing.delete(folder.path)
      unmount(folder.path)
      await folder.remove()
    },
  }
}
