import { constants, type Stats } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import type { Clock } from '../lib/clock.ts'
import { codeOf, messageOf, TaskdError } from '../lib/errors.ts'

export interface TailFileOptions {
  /** The last lines to begin with. Neither given: 10; both: what is less. */
  readonly lines?: number | undefined
  /** The last bytes to begin with. */
  readonly bytes?: number | undefined
  /** Goes on with what is appended, until `signal` aborts or the reader leaves. */
  readonly follow: boolean
  readonly signal?: AbortSignal | undefined
  readonly clock: Clock
}

const BLOCK_BYTES = 64 * 1024
const POLL_MS = 200
const LINES = 10
const NEWLINE = 10

/**
 * The end of a file, and with `follow` what is appended to it: over a rotation by renaming or by
 * copy and truncate, and over its removal. The reader pulls, so a slow one delays only itself. A
 * missing file counts as empty and may appear later.
 * @throws TaskdError E_NO_FILE when the path is something else, or may not be read
 */
export async function* tailFile(path: string, options: TailFileOptions): AsyncGenerator<Buffer> {
  const { follow, signal, clock } = options
  let file = await openIfThere(path)
  try {
    let at = file ? await whereToBegin(file, options) : 0
    for (;;) {
      const next = follow ? await stat(path).catch(() => undefined) : undefined
      const known = await file?.stat()
      if (known && known.size < at) at = 0
      for (let more = known !== undefined && known.size > at; more; ) {
        if (signal?.aborted) return
        const block = await read(file, at)
        at += block?.length ?? 0
        if (block) yield block
        else more = false
      }
      if (!follow || signal?.aborted) return
      // It was moved before we reached its end, and nothing more is written to it.
      if (next && (!known || isOther(next, known))) {
        await file?.close()
        file = undefined
        file = await openIfThere(path)
        at = 0
        continue
      }
      await clock.sleep(POLL_MS, signal)
    }
  } finally {
    await file?.close()
  }
}

/**
 * Checks a path before an answer is begun that cannot be taken back.
 * @throws TaskdError E_NO_FILE
 */
export async function checkTail(path: string): Promise<void> {
  const file = await openIfThere(path)
  await file?.close()
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  let file: FileHandle
  try {
    // A FIFO must neither hold us up nor be drained by us.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw new TaskdError('E_NO_FILE', `cannot read ${path}: ${messageOf(error)}`)
  }
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw new TaskdError('E_NO_FILE', `${path} is not a file, so there is nothing to look back at`)
}

async function read(file: FileHandle | undefined, at: number): Promise<Buffer | undefined> {
  if (!file) return undefined
  const block = Buffer.allocUnsafe(BLOCK_BYTES)
  const { bytesRead } = await file.read(block, 0, block.length, at)
  if (bytesRead === 0) return undefined
  return bytesRead < BLOCK_BYTES / 2
    ? Buffer.from(block.subarray(0, bytesRead))
    : block.subarray(0, bytesRead)
}

function isOther(one: Stats, other: Stats): boolean {
  return one.ino !== other.ino || one.dev !== other.dev
}

async function whereToBegin(file: FileHandle, options: TailFileOptions): Promise<number> {
  const { lines, bytes } = options
  const { size } = await file.stat()
  const byBytes = bytes === undefined ? 0 : Math.max(0, size - bytes)
  if (lines === undefined && bytes !== undefined) return byBytes
  return Math.max(byBytes, await beginOfLastLines(file, size, lines ?? LINES, options.signal))
}

/** Looks for it from the end, block by block, so that a file of any size is begun at once. */
async function beginOfLastLines(
  file: FileHandle,
  size: number,
  lines: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  if (lines <= 0) return size
  const block = Buffer.allocUnsafe(BLOCK_BYTES)
  let left = lines
  // The end of the last line does not begin another one.
  let end = size - 1
  while (end > 0) {
    if (signal?.aborted) return size
    const from = Math.max(0, end - BLOCK_BYTES)
    const { bytesRead } = await file.read(block, 0, end - from, from)
    for (let at = lastNewline(block, bytesRead); at >= 0; at = lastNewline(block, at)) {
      left -= 1
      if (left === 0) return from + at + 1
    }
    end = from
  }
  return 0
}

/** The last line end among the first `length` bytes, or -1. */
function lastNewline(block: Buffer, length: number): number {
  return length === 0 ? -1 : block.lastIndexOf(NEWLINE, length - 1)
}
