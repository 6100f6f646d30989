import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  readdirSync,
  unlinkSync,
} from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf, TaskdError } from '../lib/errors.ts'
import { runTool } from '../lib/tool.ts'

/** With names of a few letters this is far below what an argument list may hold. */
const BATCH = 500
const MKFIFO_MS = 10_000

interface Asked {
  readonly resolve: (fd: number) => void
  readonly reject: (error: unknown) => void
}

/**
 * Pipes for the output of programs. Node's own are socket pairs, and a program cannot open
 * /dev/stdout on a socket, as nginx and php-fpm do. So they are FIFOs, made by mkfifo(1) many at
 * a time; each is opened for reading and writing, so that it never ends, and its name removed: the
 * write end is opened through /proc/self/fd, and nothing is left behind whatever is killed.
 */
export class Fifos {
  readonly #folder: string
  #asked: Asked[] = []
  #making = false
  #swept = false

  constructor(folder: string) {
    this.#folder = folder
  }

  /** The read end of a new pipe, not blocking; the caller's to close. */
  take(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject })
      if (this.#making) return
      this.#making = true
      // What is asked for in the same turn is made by the same mkfifo.
      setImmediate(() => void this.#serve())
    })
  }

  async #serve(): Promise<void> {
    for (let batch = this.#batch(); batch.length > 0; batch = this.#batch()) {
      const fds = await this.#open(batch.length).catch((error: unknown) => {
        for (const { reject } of batch) reject(error)
        return []
      })
      for (const [n, fd] of fds.entries()) batch[n]?.resolve(fd)
    }
    this.#making = false
  }

  #batch(): Asked[] {
    return this.#asked.splice(0, BATCH)
  }

  async #open(count: number): Promise<number[]> {
    await mkdir(this.#folder, { recursive: true, mode: 0o750 }).catch(() => undefined)
    if (!this.#swept) await this.#sweep()
    let problem: unknown
    // A full disk takes no FIFO, but programs must start all the same.
    for (const folder of [this.#folder, '/dev/shm', tmpdir()])
      try {
        return await openIn(folder, count)
      } catch (error) {
        problem = error
      }
    throw new TaskdError(
      'E_NO_PIPE',
      `cannot make a pipe for the output in ${this.#folder}: ${messageOf(problem)}`,
      'make room there, and look whether mkfifo is installed (coreutils)',
    )
  }

  /** A daemon that was killed between mkfifo and open has left a folder. */
  async #sweep(): Promise<void> {
    this.#swept = true
    try {
      for (const name of readdirSync(this.#folder)) {
        const pid = /^pipes-(\d+)-/.exec(name)?.[1]
        if (pid === undefined || pid === String(process.pid)) continue
        await rm(join(this.#folder, name), { recursive: true, force: true })
      }
    } catch {
      // What cannot be read or removed does no harm.
    }
  }
}

async function openIn(parent: string, count: number): Promise<number[]> {
  const folder = await mkdtemp(join(parent, `pipes-${process.pid}-`))
  const fds: number[] = []
  try {
    const paths = Array.from({ length: count }, (_, n) => join(folder, String(n)))
    const made = await runTool('mkfifo', ['-m', '600', ...paths], MKFIFO_MS)
    if (!made.ok) throw new Error(made.reason)
    for (const path of paths) fds.push(openFifo(path))
    return fds
  } catch (error) {
    for (const fd of fds) closeSync(fd)
    throw error
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function openFifo(path: string): number {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  try {
    if (!fstatSync(fd).isFIFO()) throw new Error(`${path} is no FIFO`)
    unlinkSync(path)
    // It has no name any more, so only its holders can reach it; they may be of another user.
    fchmodSync(fd, 0o622)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** A write end of its own, blocking as programs expect it, for one start of a program. */
export function openWriteEnd(fifo: number): number {
  return openSync(`/proc/self/fd/${fifo}`, constants.O_WRONLY)
}
