/** How much of a run's output is kept: the last part. */
export const KEPT_BYTES = 64 * 1024
/** Standard output is read for its answer further back: a cut answer would be none. */
export const ANSWER_BYTES = 1 << 20

/**
 * The last bytes of a stream, however much comes: memory stays below twice what is kept, and
 * taking a chunk costs nothing but a push.
 */
export class Tail {
  readonly #limit: number
  #chunks: Buffer[] = []
  #size = 0
  /** All that ever came, bytes. */
  total = 0

  constructor(limit = KEPT_BYTES) {
    this.#limit = limit
  }

  /** Whether more came than is kept. */
  get isCut(): boolean {
    return this.total > this.#limit
  }

  push(chunk: Buffer): void {
    this.total += chunk.length
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#size > 2 * this.#limit || this.#chunks.length > 1024) this.#compact()
  }

  /** Keeps the limit's worth, in one buffer of its own (a slice would hold all of its parent). */
  #compact(): void {
    const all =
      this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks, this.#size)
    const kept = Buffer.from((all ?? Buffer.alloc(0)).subarray(-this.#limit))
    this.#chunks = [kept]
    this.#size = kept.length
  }

  bytes(): Buffer {
    this.#compact()
    return this.#chunks[0] ?? Buffer.alloc(0)
  }

  /** As text. */
  toString(): string {
    return this.#size === 0 ? '' : textOf(this.bytes())
  }
}

/** The last bytes of a stream as text; a character that the cut went through is left out. */
export function textOf(kept: Buffer): string {
  let start = 0
  while (start < 3 && ((kept[start] ?? 0) & 0xc0) === 0x80) start += 1
  return kept.toString('utf8', start)
}
