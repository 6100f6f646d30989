import { ftruncateSync, readSync, writeSync } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import type { Backups } from './backups.ts'

const BLOCK_BYTES = 256 * 1024
/**
 * Output that arrives meanwhile is copied too, up to this many rounds; a program that is always
 * faster loses a little.
 */
const LAST_ROUNDS = 64

/**
 * Rotates a file that others hold open: its bytes are copied away and it is cut to nothing. What
 * is written in the moment between the last look and the cut, some microseconds, is lost.
 * @param backups undefined: nothing is kept
 */
export async function copyAndTruncate(path: string, backups: Backups | undefined): Promise<void> {
  const source = await open(path, 'r+')
  try {
    if (!backups) return await source.truncate(0)
    const temporary = `${path}.copy.tmp`
    const { mode } = await source.stat()
    const target = await open(temporary, 'w', mode & 0o777)
    try {
      const copied = await copy(source, target)
      await backups.shift(async first => {
        await rename(temporary, first)
        finish(source.fd, target.fd, copied)
      })
    } finally {
      await target.close()
      await rm(temporary, { force: true })
    }
  } finally {
    await source.close()
  }
  return undefined
}

async function copy(source: FileHandle, target: FileHandle): Promise<number> {
  const block = Buffer.allocUnsafe(BLOCK_BYTES)
  const { size } = await source.stat()
  let at = 0
  while (at < size) {
    const { bytesRead } = await source.read(block, 0, block.length, at)
    if (bytesRead === 0) break
    await target.writeFile(block.subarray(0, bytesRead))
    at += bytesRead
  }
  return at
}

/** The rest and the cut, with nothing in between: so this part does not wait for anything. */
function finish(source: number, target: number, from: number): void {
  const block = Buffer.allocUnsafe(BLOCK_BYTES)
  let at = from
  for (let round = 0; round < LAST_ROUNDS; round += 1) {
    const bytes = readSync(source, block, 0, block.length, at)
    if (bytes === 0) break
    writeSync(target, block, 0, bytes)
    at += bytes
  }
  ftruncateSync(source, 0)
}
