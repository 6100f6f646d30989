import { mkdtempSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TempDir extends AsyncDisposable {
  readonly path: string
  /** Removes the folder and all in it. Idempotent. */
  remove(): Promise<void>
}

/** Folders of this process that still stand: the last moment removes them. */
const standing = new Set<string>()

process.once('exit', () => {
  for (const path of standing) rmSync(path, { recursive: true, force: true })
})
// A runner that ends a worker which hangs sends TERM, on which there would be no `exit`.
process.once('SIGTERM', () => process.exit(143))

/** A new folder with a short name, because a unix socket's path may have 107 bytes at most. */
export function tempDir(prefix = 'taskd-'): TempDir {
  const path = mkdtempSync(join(tmpdir(), prefix))
  standing.add(path)
  const remove = async () => {
    // A server that was just ended may still be creating a file: hence the retries.
    await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
    standing.delete(path)
  }
  return { path, remove, [Symbol.asyncDispose]: remove }
}
