import { type FileHandle, open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

/**
 * A record of a spool is one line: the CRC-32 of its text as 8 hexadecimal digits, a blank, and the
 * text, which is JSON and so holds no line feed. What follows the last line feed of a file was being
 * written when the machine or the daemon died: it was never acknowledged.
 */

const LF = 10
const HEAD = 9
const READ_BYTES = 256 * 1024

export function encodeRecord(text: string): Buffer {
  const body = Buffer.from(text)
  return Buffer.concat([Buffer.from(`${crcOf(body)} `), body, Buffer.from('\n')])
}

/** The text of a line without its line feed, or undefined when it is not what was written. */
export function decodeRecord(line: Buffer): string | undefined {
  const body = line.subarray(HEAD)
  if (line[HEAD - 1] !== 32 || line.toString('latin1', 0, HEAD - 1) !== crcOf(body))
    return undefined
  return body.toString('utf8')
}

function crcOf(body: Buffer): string {
  return crc32(body).toString(16).padStart(8, '0')
}

/** The line that begins at `offset`, without its line feed; undefined when there is no whole one. */
export async function readLine(
  file: FileHandle,
  offset: number,
  end: number,
): Promise<Buffer | undefined> {
  for (let size = READ_BYTES; ; size *= 4) {
    const wanted = Math.min(size, end - offset)
    const part = await readAt(file, offset, wanted)
    const feed = part.indexOf(LF)
    if (feed >= 0) return part.subarray(0, feed)
    if (part.length < wanted || wanted === end - offset) return undefined
  }
}

export interface Lines {
  readonly count: number
  /** Where the last whole line ends. */
  readonly end: number
}

/** Counts the lines from `offset` on. */
export async function countLines(path: string, offset: number): Promise<Lines> {
  const file = await open(path, 'r')
  try {
    return await count(file, offset)
  } finally {
    await file.close()
  }
}

async function count(file: FileHandle, offset: number): Promise<Lines> {
  let count = 0
  let end = offset
  for (let at = offset; ; at += READ_BYTES) {
    const part = await readAt(file, at, READ_BYTES)
    for (let feed = part.indexOf(LF); feed >= 0; feed = part.indexOf(LF, feed + 1)) {
      count += 1
      end = at + feed + 1
    }
    if (part.length < READ_BYTES) return { count, end }
  }
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, offset + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return buffer.subarray(0, done)
}

/** All of it, or an error. */
export async function writeAt(file: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const left = bytes.length - done
    const { bytesWritten } = await file.write(bytes, done, left, offset + done)
    done += bytesWritten
  }
}
