import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeRecord, encodeRecord, writeAt } from './spool-records.ts'

/** How far a spool has been read: the segment, and the byte in it. */
export interface Position {
  readonly segment: number
  readonly offset: number
}

const NAME = 'position'

/**
 * The file with the position. It is written over in place, always at the same length, so that even a
 * full disk takes it. If it cannot be read, or is behind, batches are sent again, and the database
 * recognises them.
 */
export class PositionFile {
  readonly #file: FileHandle
  readonly first: Position | undefined

  private constructor(file: FileHandle, first: Position | undefined) {
    this.#file = file
    this.first = first
  }

  static async open(dir: string): Promise<PositionFile> {
    const path = join(dir, NAME)
    const file = await open(path, 'r+').catch(() => open(path, 'w+', 0o600))
    const text = decodeRecord((await file.readFile()).subarray(0, -1))
    const [, segment, offset] = /^(\d{12}) (\d{12})$/.exec(text ?? '') ?? []
    if (segment === undefined) return new PositionFile(file, undefined)
    return new PositionFile(file, { segment: Number(segment), offset: Number(offset) })
  }

  write({ segment, offset }: Position): Promise<void> {
    const digits = (n: number) => String(n).padStart(12, '0')
    return writeAt(this.#file, encodeRecord(`${digits(segment)} ${digits(offset)}`), 0)
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
