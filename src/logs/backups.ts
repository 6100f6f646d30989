import { access, type FileHandle, open, rename, rm } from 'node:fs/promises'
import { codeOf } from '../lib/errors.ts'
import { Slots } from '../lib/slots.ts'

export interface Kept {
  /** How many old files there may be. */
  readonly backups: number
  readonly gzip: boolean
}

/**
 * The old files of one log: path.1 (the newest), path.2, …, each plain or with `.gz`, mixed as
 * the option was changed. Only the unbroken sequence from 1 on is ours: `path.20261121` is not touched.
 */
export class Backups {
  readonly path: string
  keep: Kept
  /** One renaming at a time: a rotation must not collide with the end of a compression. */
  readonly #one = new Slots(1)
  /** The index of the file that is being compressed; 0 when it was removed meanwhile. */
  #compressing: number | undefined

  constructor(path: string, keep: Kept) {
    this.path = path
    this.keep = keep
  }

  /** Moves each to the next number, drops the last, and then has `place` put something at path.1. */
  shift(place: (first: string) => Promise<void>): Promise<void> {
    return this.#one.run(async () => {
      const keep = Math.max(1, this.keep.backups)
      for (let n = keep; await this.#has(n); n += 1) await this.#remove(n)
      let hole = 1
      while (await this.#has(hole)) hole += 1
      for (let n = hole - 1; n >= 1; n -= 1) await this.#move(n)
      await place(this.#plain(1))
    })
  }

  /**
   * Has one plain file compressed, the oldest first.
   * @param gzip writes what it reads to the file `to`. The file is opened here, under the same
   * lock that renames: its name may be another file's by the time it is read.
   * @returns false when there is none
   */
  async compressOne(gzip: (from: FileHandle, to: string) => Promise<void>): Promise<boolean> {
    const source = await this.#one.run(() => this.#openOldestPlain())
    if (source === undefined) return false
    const temporary = `${this.path}.gz.tmp`
    try {
      await gzip(source, temporary)
      await this.#one.run(async () => {
        const now = this.#compressing ?? 0
        if (now === 0) return
        await rename(temporary, `${this.#plain(now)}.gz`)
        await rm(this.#plain(now), { force: true })
      })
    } finally {
      this.#compressing = undefined
      await source.close().catch(() => undefined)
      await rm(temporary, { force: true })
    }
    return true
  }

  async #openOldestPlain(): Promise<FileHandle | undefined> {
    if (!this.keep.gzip) return undefined
    let found = 0
    for (let n = 1; n <= this.keep.backups && (await this.#has(n)); n += 1)
      if (await exists(this.#plain(n))) found = n
    if (found === 0) return undefined
    const source = await open(this.#plain(found), 'r')
    this.#compressing = found
    return source
  }

  #plain(n: number): string {
    return `${this.path}.${n}`
  }

  async #has(n: number): Promise<boolean> {
    return (await exists(this.#plain(n))) || (await exists(`${this.#plain(n)}.gz`))
  }

  async #remove(n: number): Promise<void> {
    await rm(this.#plain(n), { force: true })
    await rm(`${this.#plain(n)}.gz`, { force: true })
    if (this.#compressing === n) this.#compressing = 0
  }

  async #move(n: number): Promise<void> {
    await renameIfThere(this.#plain(n), this.#plain(n + 1))
    await renameIfThere(`${this.#plain(n)}.gz`, `${this.#plain(n + 1)}.gz`)
    if (this.#compressing === n) this.#compressing = n + 1
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}
