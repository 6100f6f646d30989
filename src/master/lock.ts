import { rmSync, statSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { codeOf, messageOf, TaskdError } from '../lib/errors.ts'

/** One daemon per data_dir. */
export interface Lock {
  release(): void
}

/**
 * Takes the data folder for this process. The lock is a name in the kernel (an abstract unix
 * socket after the folder's device and inode): it goes with the process, so it is never stale,
 * whatever was killed. The pid file beside it is for people.
 * @throws TaskdError E_LOCKED with the pid that holds it
 */
export async function takeLock(dataDir: string): Promise<Lock> {
  const { dev, ino } = statSync(dataDir)
  const pidFile = join(dataDir, 'taskd.pid')
  const server = createServer(socket => socket.destroy())
  try {
    await listen(server, `\0taskd-${dev}-${ino}`)
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE')
      throw new TaskdError('E_LOCK', `cannot lock ${dataDir}: ${messageOf(error)}`)
    const pid = await readFile(pidFile, 'utf8').catch(() => '')
    throw new TaskdError(
      'E_LOCKED',
      `taskd already runs on ${dataDir}${pid.trim() && `: pid ${pid.trim()}`}`,
      'see it with `taskd status`, end it with `taskd stop`, or give this one its own data_dir',
    )
  }
  server.unref()
  writeFileSync(pidFile, `${process.pid}\n`)
  return {
    release() {
      rmSync(pidFile, { force: true })
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
