import { ftruncate, type Stats, writev } from 'node:fs'
import { rename, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Clock } from '../lib/clock.ts'
import { codeOf } from '../lib/errors.ts'
import { Backups } from './backups.ts'
import type { Compressor } from './compressor.ts'
import { fit } from './fit.ts'
import { closeFd, type OpenLog, openLogFile, statFd } from './open-log.ts'
import { reasonOf } from './trouble.ts'

const writeAll = promisify(writev)
const truncate = promisify(ftruncate)
const NEWLINE = 10
/** How often an open file is checked: others may have removed or cut it. */
const LOOK_MS = 5000
/** A rotation that failed is tried again after this; until then the file grows. */
const ROTATE_AGAIN_MS = 60_000

export interface LogFileRules {
  readonly path: string
  readonly maxBytes: number
  readonly backups: number
  readonly gzip: boolean
}

export interface LogFileDeps {
  readonly clock: Clock
  readonly compressor: Compressor
  /** Says something to the people who run the daemon. */
  readonly warn: (text: string) => void
}

/** One log on the disk: opened when needed, rotated before it would grow too large. */
export class LogFile {
  /** Whether what was written last ends within a line. */
  midLine = false
  readonly #deps: LogFileDeps
  #rules: LogFileRules
  #open: OpenLog | undefined
  #size = 0
  #lookAt = 0
  #rotateAt = 0
  #told: string | undefined
  #backups: Backups | undefined

  constructor(rules: LogFileRules, deps: LogFileDeps) {
    this.#rules = rules
    this.#deps = deps
  }

  get path(): string {
    return this.#rules.path
  }

  get isOpen(): boolean {
    return this.#open !== undefined
  }

  retune(rules: LogFileRules): void {
    this.#rules = rules
    if (this.#backups) this.#backups.keep = rules
  }

  /** Opens the file if it is not open. A file that somebody removed is made again. */
  async open(): Promise<void> {
    const now = this.#deps.clock.monotonic()
    if (this.#open && now >= this.#lookAt) {
      this.#lookAt = now + LOOK_MS
      this.#know(await statFd(this.#open.fd))
      if (this.#open.stats.nlink === 0) await this.close()
    }
    if (this.#open) return
    const opened = await openLogFile(this.path)
    this.#open = opened
    this.#lookAt = now + LOOK_MS
    this.#know(opened.stats)
  }

  #know(stats: Stats): void {
    if (this.#open) this.#open = { fd: this.#open.fd, stats }
    // Devices and FIFOs have no size that could become too large.
    this.#size = stats.isFile() ? stats.size : 0
    if (stats.isFile() && stats.size === 0) this.midLine = false
  }

  /**
   * Writes as many of the waiting bytes as fit into the file, and rotates it if it is full.
   * @returns how many bytes were written; there may be more to do
   */
  async write(waiting: readonly Buffer[], total: number): Promise<number> {
    await this.open()
    if (!this.#open) return 0
    const { bytes, rotate } = this.#rotates(this.#open)
      ? fit(waiting, total, {
          size: this.#size,
          maxBytes: this.#rules.maxBytes,
          midLine: this.midLine,
        })
      : { bytes: total, rotate: false }
    let written = 0
    if (bytes > 0) {
      const head = firstBytes(waiting, bytes)
      written = (await writeAll(this.#open.fd, head)).bytesWritten
      this.#size += written
      if (written > 0) this.midLine = byteAt(head, written - 1) !== NEWLINE
    }
    if (rotate && written === bytes) await this.#rotate(this.#open)
    return written
  }

  #rotates({ stats }: OpenLog): boolean {
    const { maxBytes } = this.#rules
    return maxBytes > 0 && stats.isFile() && this.#deps.clock.monotonic() >= this.#rotateAt
  }

  async #rotate(open: OpenLog): Promise<void> {
    const { path, backups, gzip } = this.#rules
    try {
      if (backups === 0) {
        await truncate(open.fd, 0)
        this.#size = 0
      } else {
        // When somebody else has moved the file there is nothing to be moved any more.
        if (await isStill(path, open.stats)) await this.#kept.shift(first => rename(path, first))
        await this.close()
      }
      this.midLine = false
      this.#told = undefined
    } catch (error) {
      this.#rotateAt = this.#deps.clock.monotonic() + ROTATE_AGAIN_MS
      this.#tell(`cannot rotate ${path}: ${reasonOf(error)}; it grows until that works`)
      return
    }
    if (gzip && backups > 0)
      this.#deps.compressor.order(this.#kept, trouble => {
        if (trouble !== undefined) this.#tell(trouble)
      })
  }

  get #kept(): Backups {
    if (this.#backups?.path !== this.path) this.#backups = new Backups(this.path, this.#rules)
    return this.#backups
  }

  #tell(text: string): void {
    if (this.#told === text) return
    this.#told = text
    this.#deps.warn(text)
  }

  /** The next write opens the path anew. */
  async close(): Promise<void> {
    const open = this.#open
    this.#open = undefined
    if (open) await closeFd(open.fd).catch(() => undefined)
  }
}

async function isStill(path: string, known: Stats): Promise<boolean> {
  try {
    const now = await stat(path)
    return now.ino === known.ino && now.dev === known.dev
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

function firstBytes(chunks: readonly Buffer[], bytes: number): Buffer[] {
  const head: Buffer[] = []
  let left = bytes
  for (const chunk of chunks) {
    if (left <= 0) break
    head.push(chunk.length <= left ? chunk : chunk.subarray(0, left))
    left -= chunk.length
  }
  return head
}

function byteAt(chunks: readonly Buffer[], index: number): number | undefined {
  let left = index
  for (const chunk of chunks) {
    if (left < chunk.length) return chunk[left]
    left -= chunk.length
  }
  return undefined
}
