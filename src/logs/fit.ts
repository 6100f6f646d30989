const NEWLINE = 10
/** A file may grow over its limit by this much, to take the rest of a line that it has begun. */
export const SLACK_BYTES = 64 * 1024

export interface Fit {
  /** How many bytes of the waiting ones go into the file as it is. */
  readonly bytes: number
  /** Whether the file is to be rotated then. */
  readonly rotate: boolean
}

export interface Filled {
  readonly size: number
  readonly maxBytes: number
  /** Whether the last byte of the file is not the end of a line. */
  readonly midLine: boolean
}

/**
 * How much of the waiting bytes fits into a file, cut between lines: a line goes to one file as long as it
 * is not longer than a file may be.
 */
export function fit(waiting: readonly Buffer[], total: number, file: Filled): Fit {
  const room = file.maxBytes - file.size
  if (total <= room) return { bytes: total, rotate: false }
  const lines = endOfLastLine(waiting, room)
  if (lines > 0) return { bytes: lines, rotate: true }
  if (!file.midLine) {
    // Into an empty file goes what can, or a long line would never be written at all.
    return file.size === 0 ? { bytes: room, rotate: false } : { bytes: 0, rotate: true }
  }
  const most = room + Math.min(SLACK_BYTES, file.maxBytes)
  const rest = endOfFirstLine(waiting, most)
  if (rest > 0) return { bytes: rest, rotate: true }
  if (total <= most) return { bytes: total, rotate: false }
  return { bytes: Math.max(0, room), rotate: true }
}

/** The number of bytes up to and with the last line end among the first `most`; 0 for none. */
function endOfLastLine(chunks: readonly Buffer[], most: number): number {
  let from = 0
  let end = 0
  for (const chunk of chunks) {
    if (from >= most) break
    const at = chunk.lastIndexOf(NEWLINE, Math.min(chunk.length, most - from) - 1)
    if (at >= 0) end = from + at + 1
    from += chunk.length
  }
  return end
}

function endOfFirstLine(chunks: readonly Buffer[], most: number): number {
  let from = 0
  for (const chunk of chunks) {
    if (from >= most) return 0
    const at = chunk.indexOf(NEWLINE)
    if (at >= 0) return from + at + 1 <= most ? from + at + 1 : 0
    from += chunk.length
  }
  return 0
}
