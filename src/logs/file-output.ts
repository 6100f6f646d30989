import { constants, openSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { codeOf } from '../lib/errors.ts'
import type { LogFileSpec, OutputSpec } from '../model/program-spec.ts'
import { Backups } from './backups.ts'
import type { Compressor } from './compressor.ts'
import { copyAndTruncate } from './copy-truncate.ts'
import { closeFd, openLogFile } from './open-log.ts'
import { type Descriptor, type Output, unsuited } from './output-port.ts'
import type { Rounds } from './rounds.ts'
import { reasonOf } from './trouble.ts'

export interface FileDeps {
  readonly compressor: Compressor
  readonly rounds: Rounds
  readonly warn: (text: string) => void
}

/** A stream that the program writes into the file itself: it goes on while there is no daemon. */
export class FileOutput implements Output {
  /** A full disk is reported to the program itself; we do not see it. */
  readonly dropped = 0
  readonly #deps: FileDeps
  #spec: LogFileSpec
  #backups: Backups
  #size = 0
  #told: string | undefined

  constructor(spec: LogFileSpec, deps: FileDeps) {
    this.#spec = spec
    this.#deps = deps
    this.#backups = new Backups(spec.path, spec)
    deps.rounds.add(this)
  }

  prepare(): Promise<void> {
    return Promise.resolve()
  }

  /** A log that cannot be opened does not keep a program from being started. */
  async descriptor(): Promise<Descriptor> {
    try {
      const fd = await openForChild(this.#spec.path)
      this.#told = undefined
      let open = true
      const release = () => {
        if (open) void closeFd(fd).catch(() => undefined)
        open = false
      }
      return { stdio: fd, release }
    } catch (error) {
      const { path } = this.#spec
      this.#tell(`cannot open ${path}: ${reasonOf(error)}; output is dropped until the next start`)
      return { stdio: 'ignore', release: () => undefined }
    }
  }

  retune(spec: OutputSpec): void {
    if (spec.kind !== 'file' || spec.through !== 'file') throw unsuited(spec)
    // Another path is for the next start: the program holds the old one.
    if (spec.path !== this.#spec.path) this.#backups = new Backups(spec.path, spec)
    this.#backups.keep = spec
    this.#spec = spec
  }

  reopen(): void {
    // The program has the file open, not we: logrotate has to copy and truncate it.
  }

  close(): Promise<void> {
    this.#deps.rounds.remove(this)
    return Promise.resolve()
  }

  /** Rotates the file if it has grown too large. @returns whether it has grown */
  async look(): Promise<boolean> {
    const { path, maxBytes, backups, gzip } = this.#spec
    const kept = this.#backups
    try {
      const now = await stat(path)
      const grown = now.isFile() && now.size !== this.#size
      this.#size = now.size
      if (maxBytes === 0 || !now.isFile() || now.size < maxBytes) return grown
      await copyAndTruncate(path, backups === 0 ? undefined : kept)
      this.#size = 0
      this.#told = undefined
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      this.#tell(`cannot rotate ${path}: ${reasonOf(error)}; it grows until that works`)
      return false
    }
    if (gzip && backups > 0)
      this.#deps.compressor.order(kept, trouble => {
        if (trouble !== undefined) this.#tell(trouble)
      })
    return true
  }

  #tell(text: string): void {
    if (this.#told === text) return
    this.#told = text
    this.#deps.warn(text)
  }
}

/** A description that blocks, as programs expect it, got without ever blocking ourselves. */
async function openForChild(path: string): Promise<number> {
  const { fd, stats } = await openLogFile(path)
  try {
    const access = stats.isFIFO() ? constants.O_RDWR : constants.O_WRONLY
    return openSync(`/proc/self/fd/${fd}`, access | constants.O_APPEND | constants.O_NOCTTY)
  } finally {
    await closeFd(fd)
  }
}
