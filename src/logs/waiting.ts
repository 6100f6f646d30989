/** The memory that a chunk takes beside its bytes. */
const CHUNK_BYTES = 256
/**
 * Smaller chunks that have to wait share a block; otherwise many of them would take far more memory
 * than their bytes.
 */
const SMALL_BYTES = 4096
const BLOCK_BYTES = 8192

/** The chunks that wait to be written, first come first. */
export class Waiting {
  chunks: Buffer[] = []
  /** Their bytes. */
  bytes = 0
  #block: Buffer | undefined
  #used = 0

  /** What they take in memory. */
  get held(): number {
    return this.bytes + this.chunks.length * CHUNK_BYTES
  }

  push(chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.chunks.length === 0 || chunk.length >= SMALL_BYTES) this.chunks.push(chunk)
    else this.#pack(chunk)
  }

  /** Behind the bytes of the last chunk, if that is a block with room; these may be on their way. */
  #pack(chunk: Buffer): void {
    const last = this.chunks.at(-1)
    if (!this.#block || last?.buffer !== this.#block.buffer || !this.#fits(chunk)) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
      this.#used = 0
      this.chunks.push(this.#block.subarray(0, 0))
    }
    const at = this.chunks.length - 1
    const from = this.chunks[at]?.byteOffset ?? 0
    this.#used += chunk.copy(this.#block, this.#used)
    this.chunks[at] = this.#block.subarray(from, this.#used)
  }

  #fits(chunk: Buffer): boolean {
    return this.#used + chunk.length <= BLOCK_BYTES
  }

  /** Takes away the first bytes. */
  drop(bytes: number): void {
    // After a `clear`, bytes that were being written may be gone already.
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
    if (this.chunks.length === 0) this.#block = undefined
  }

  /** Takes away all. @returns how many bytes that were */
  clear(): number {
    const { bytes } = this
    this.drop(bytes)
    return bytes
  }
}
