const NEWLINE = 10

/**
 * Puts the time in front of each line, however the lines are cut into chunks. It knows bytes only,
 * so binary junk goes through as it is.
 */
export class Stamper {
  #atStart = true

  /** Looks at a chunk that is not stamped, so that stamping may begin at any later line. */
  pass(chunk: Buffer): void {
    if (chunk.length > 0) this.#atStart = chunk[chunk.length - 1] === NEWLINE
  }

  /** What comes next begins a line, whatever it was cut from. */
  startLine(): void {
    this.#atStart = true
  }

  /** @param prefix what each line that begins in this chunk gets; ASCII */
  stamp(chunk: Buffer, prefix: string): Buffer {
    const begins = lineStarts(chunk, this.#atStart)
    this.pass(chunk)
    if (begins.length === 0) return chunk
    const stamped = Buffer.allocUnsafe(chunk.length + begins.length * prefix.length)
    let to = chunk.copy(stamped, 0, 0, begins[0])
    for (let n = 0; n < begins.length; n += 1) {
      to += stamped.write(prefix, to, 'latin1')
      to += chunk.copy(stamped, to, begins[n], begins[n + 1])
    }
    return stamped
  }
}

/** Where lines begin in the chunk. A line that begins behind its last byte belongs to the next. */
function lineStarts(chunk: Buffer, atStart: boolean): number[] {
  const starts: number[] = atStart && chunk.length > 0 ? [0] : []
  for (let at = chunk.indexOf(NEWLINE) + 1; at > 0; at = chunk.indexOf(NEWLINE, at) + 1) {
    if (at === chunk.length) break
    starts.push(at)
  }
  return starts
}
