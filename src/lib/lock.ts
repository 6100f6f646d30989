import { rmSync, statSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { codeOf, messageOf, TaskdError } from './errors.ts'

/** One process per data folder. */
export interface Lock {
  release(): void
}

export interface LockOptions {
  readonly dataDir: string
  /** The name of the pid file, which is for people. */
  readonly pidFile: string
  /** The beginning of a sentence that says who has it. */
  readonly holder: string
  /** What to do about that. */
  readonly hint: string
}

/**
 * Takes a data folder for this process. The lock is a name in the kernel (an abstract unix
 * socket after the folder's device and inode): it goes with the process, so it is never stale,
 * whatever was killed. The pid file beside it is for people.
 * @throws TaskdError E_LOCKED with the pid that holds it
 */
export async function lockFolder({ dataDir, pidFile, holder, hint }: LockOptions): Promise<Lock> {
  const { dev, ino } = statSync(dataDir)
  const file = join(dataDir, pidFile)
  const server = createServer(socket => socket.destroy())
  try {
    await listen(server, `\0taskd-${dev}-${ino}`)
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE')
      throw new TaskdError('E_LOCK', `cannot lock ${dataDir}: ${messageOf(error)}`)
    const pid = await readFile(file, 'utf8').catch(() => '')
    const known = pid.trim() && `: pid ${pid.trim()}`
    throw new TaskdError('E_LOCKED', `${holder} on ${dataDir}${known}`, hint)
  }
  server.unref()
  writeFileSync(file, `${process.pid}\n`)
  return {
    release() {
      rmSync(file, { force: true })
      server.close()
    },
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
}
