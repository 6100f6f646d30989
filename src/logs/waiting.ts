/** What a chunk takes beside its bytes, so that many small ones do not take more than they may. */
const CHUNK_BYTES = 256

/** The chunks that wait to be written, first come first. */
export class Waiting {
  chunks: Buffer[] = []
  /** Their bytes. */
  bytes = 0

  /** What they take in memory. */
  get held(): number {
    return this.bytes + this.chunks.length * CHUNK_BYTES
  }

  push(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.bytes += chunk.length
  }

  /** Takes away the first bytes. */
  drop(bytes: number): void {
    // After a `clear` there may be nothing left of what was on its way.
    this.bytes = Math.max(0, this.bytes - bytes)
    let left = bytes
    let whole = 0
    for (const chunk of this.chunks) {
      if (chunk.length > left) break
      left -= chunk.length
      whole += 1
    }
    this.chunks.splice(0, whole)
    const [first] = this.chunks
    if (left > 0 && first) this.chunks[0] = first.subarray(left)
  }

  clear(): number {
    const { bytes } = this
    this.chunks = []
    this.bytes = 0
    return bytes
  }
}
