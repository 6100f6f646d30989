import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '../../lib/sync-folder.ts'
import { type BadFiles, countBad, writeBad } from './spool-bad.ts'
import { type Found, findSegments, nameOf, type Segment } from './spool-find.ts'
import { PositionFile } from './spool-position.ts'
import { decodeRecord, encodeRecord, readLine, writeAt } from './spool-records.ts'

export interface SpoolOptions {
  readonly dir: string
  /** What may wait here, with what was set aside, in bytes. */
  readonly maxBytes: number
  /** The size of a segment. One that has been read is removed, so at most this much is kept needlessly. */
  readonly segmentBytes?: number
  /** Told of a record that the disk gave back changed. */
  readonly onCorrupt?: (file: string) => void
}

/** The limit of the spool is reached; the disk may still have room. */
export class SpoolFullError extends Error {
  readonly bad: BadFiles

  constructor(bad: BadFiles) {
    super('the spool is full')
    this.name = 'SpoolFullError'
    this.bad = bad
  }
}

interface Head {
  readonly text: string
  /** On the disk. */
  readonly bytes: number
}

const SEGMENT_BYTES = 16 << 20

/**
 * A queue of texts on disk: append-only files, read in order. What `append` has resolved for is on
 * the disk. Calls may overlap; each waits for those before it.
 */
export class Spool {
  readonly #options: SpoolOptions
  readonly #position: PositionFile
  readonly #segments: Segment[]
  #last: Promise<unknown> = Promise.resolve()
  /** In the first segment. */
  #offset: number
  #batches: number
  /** Open on the last segment; undefined when the next record begins a new one. */
  #writer: FileHandle | undefined
  #next: number
  #closed = false

  private constructor(options: SpoolOptions, position: PositionFile, found: Found) {
    this.#options = options
    this.#position = position
    this.#segments = found.segments
    this.#offset = found.offset
    this.#batches = found.batches
    this.#next = found.next
  }

  /** Finds what an earlier life has left. */
  static async open(options: SpoolOptions): Promise<Spool> {
    const { dir } = options
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const position = await PositionFile.open(dir)
    try {
      return new Spool(options, position, await findSegments(dir, position.first))
    } catch (error) {
      await position.close()
      throw error
    }
  }

  /** Texts that wait. */
  get batches(): number {
    return this.#batches
  }

  get bytes(): number {
    return this.#segments.reduce((sum, one) => sum + one.size, 0) - this.#offset
  }

  countBad(): Promise<BadFiles> {
    return countBad(this.#options.dir)
  }

  /** @throws SpoolFullError, or what the disk says; then nothing is kept */
  append(text: string): Promise<void> {
    return this.#inTurn(async () => {
      const record = encodeRecord(text)
      const bad = await this.countBad()
      if (this.bytes + bad.bytes + record.length > this.#options.maxBytes)
        throw new SpoolFullError(bad)
      const segment = await this.#segmentFor(record.length)
      try {
        if (!this.#writer) throw new Error('no segment is open')
        await writeAt(this.#writer, record, segment.size)
        await this.#writer.datasync()
      } catch (error) {
        await this.#giveUp(segment)
        throw error
      }
      segment.size += record.length
      this.#batches += 1
    })
  }

  /** The oldest text. It stays until `drop`. */
  head(): Promise<string | undefined> {
    return this.#inTurn(async () => (await this.#head())?.text)
  }

  /** Removes the oldest text. */
  drop(): Promise<void> {
    return this.#inTurn(async () => {
      const head = await this.#head()
      if (head) await this.#advance(head.bytes)
    })
  }

  /** Removes the oldest text and keeps `content` in a file `<name>.bad`. */
  setAside(name: string, content: string): Promise<void> {
    return this.#inTurn(async () => {
      const head = await this.#head()
      if (!head) return
      await writeBad(this.#options.dir, name, Buffer.from(content))
      await this.#advance(head.bytes)
    })
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      this.#closed = true
      await this.#closeWriter()
      await this.#position.close()
    })
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    // The files may have another owner by then.
    const result = this.#last.then(() => {
      if (this.#closed) throw new Error('the spool is closed')
      return act()
    })
    this.#last = result.catch(() => undefined)
    return result
  }

  async #segmentFor(bytes: number): Promise<Segment> {
    const last = this.#segments.at(-1)
    const most = this.#options.segmentBytes ?? SEGMENT_BYTES
    if (this.#writer && last && (last.size === 0 || last.size + bytes <= most)) return last
    await this.#closeWriter()
    const segment = { number: this.#next, size: 0 }
    this.#writer = await open(this.#pathOf(segment), 'wx', 0o600)
    this.#next += 1
    this.#segments.push(segment)
    try {
      await syncFolder(this.#options.dir)
    } catch (error) {
      await this.#giveUp(segment)
      throw error
    }
    return segment
  }

  /**
   * After an error it is unknown how much of the record is on the disk: it is cut off, if possible,
   * and the next one begins a new file.
   */
  async #giveUp(segment: Segment): Promise<void> {
    await this.#writer?.truncate(segment.size).catch(() => undefined)
    await this.#closeWriter()
    if (segment.size > 0) return
    await unlink(this.#pathOf(segment)).catch(() => undefined)
    this.#segments.pop()
  }

  async #head(): Promise<Head | undefined> {
    for (;;) {
      const [segment] = this.#segments
      if (!segment || this.#offset >= segment.size) return undefined
      const line = await this.#lineOf(segment)
      const text = decodeRecord(line)
      const bytes = line.length + 1
      if (text !== undefined) return { text, bytes }
      const name = `corrupt-${segment.number}-${this.#offset}`
      await writeBad(this.#options.dir, name, line)
      this.#options.onCorrupt?.(`${name}.bad`)
      await this.#advance(bytes)
    }
  }

  async #lineOf(segment: Segment): Promise<Buffer> {
    const file = await open(this.#pathOf(segment), 'r')
    try {
      const line = await readLine(file, this.#offset, segment.size)
      if (line === undefined) throw new Error(`${this.#pathOf(segment)} has become shorter`)
      return line
    } finally {
      await file.close()
    }
  }

  async #advance(bytes: number): Promise<void> {
    const [segment] = this.#segments
    if (!segment) return
    this.#offset += bytes
    this.#batches -= 1
    if (this.#offset < segment.size) {
      // This only saves work: without it the same batches are sent again.
      const position = { segment: segment.number, offset: this.#offset }
      await this.#position.write(position).catch(() => undefined)
      return
    }
    if (this.#segments.length === 1) await this.#closeWriter()
    // One that stays is sent again at the next start, and does nothing.
    await unlink(this.#pathOf(segment)).catch(() => undefined)
    this.#segments.shift()
    this.#offset = 0
  }

  async #closeWriter(): Promise<void> {
    const writer = this.#writer
    this.#writer = undefined
    await writer?.close().catch(() => undefined)
  }

  #pathOf({ number }: Segment): string {
    return join(this.#options.dir, nameOf(number))
  }
}
