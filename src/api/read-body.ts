import { isUtf8 } from 'node:buffer'
import type { Context } from 'hono'
import { TaskdError } from '../lib/errors.ts'
import { Turns } from '../lib/turns.ts'
import { bodyBytes } from './body.ts'
import { USUAL_BYTES } from './body-size.ts'
import { invalidJson, parseParts, parseText } from './json-parts.ts'
import { JsonScan } from './json-scan.ts'

export interface BodyLimits {
  /** Values of JSON, or pairs of a form. */
  readonly values: number
  /** Values of JSON that are parsed in one go. */
  readonly atOnce: number
}

const USUAL_LIMITS: BodyLimits = { values: 100_000, atOnce: 100_000 }

interface BodyOptions {
  readonly limits?: BodyLimits | undefined
  readonly maxBodyBytes?: number
}

export type ReadBody =
  | { readonly kind: 'empty' }
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'form'; readonly text: string }

/** What is smaller is read in one go. */
const SMALL_BYTES = 128 << 10
/** How long reading bodies may keep everything else from its turn, ms. */
const SLICE_MS = 8

/** Of all requests together: twenty large bodies hold up the rest no longer than one. */
const turns = new Turns(SLICE_MS)

/**
 * Reads a body, and refuses it while it comes when it has more than the limits say: what a
 * parser makes of a few megabytes may take seconds and gigabytes.
 * @param isJson whether it is said to be JSON; if not, it is a form, or JSON that begins as no form does
 * @throws TaskdError E_BAD_REQUEST, E_TOO_LARGE
 */
export async function readBody(
  c: Context,
  isJson: boolean,
  { limits = USUAL_LIMITS, maxBodyBytes = USUAL_BYTES }: BodyOptions,
): Promise<ReadBody> {
  const gathered = new Gathered(lengthOf(c))
  let size = 0
  let scan: JsonScan | undefined
  let pairs = 1
  for await (const chunk of chunksOf(c, maxBodyBytes)) {
    gathered.push(chunk)
    const begins = scan === undefined && pairs === 1 ? firstOf(chunk) : undefined
    if (begins !== undefined && (isJson || begins === BRACE || begins === BRACKET))
      scan = new JsonScan(limits, size)
    if (scan) scan.push(chunk)
    else if (begins !== undefined || pairs > 1) pairs += 1 + countOf(chunk, AMPERSAND)
    if (pairs > limits.values)
      throw new TaskdError('E_TOO_LARGE', `the body has more than ${limits.values} pairs`)
    size += chunk.length
  }
  const bytes = gathered.bytes()
  // Whoever wants it as text finds it there.
  c.req.bodyCache.arrayBuffer = Promise.resolve(bytes) as unknown as ArrayBuffer
  if (scan === undefined && pairs === 1) return { kind: 'empty' }
  await turns.wait()
  if (scan && bytes.length > SMALL_BYTES)
    return { kind: 'json', value: await parseParts(bytes, scan.cuts, turns) }
  if (!isUtf8(bytes)) throw new TaskdError('E_BAD_REQUEST', 'the body is not UTF-8')
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '')
  if (!scan) return { kind: 'form', text }
  if (!scan.isWhole) throw invalidJson()
  return { kind: 'json', value: parseText(text) }
}

/** A small body in one piece, a large one as it comes. */
async function* chunksOf(c: Context, maxBytes: number): AsyncGenerator<Uint8Array> {
  const isSmall = c.req.method === 'GET' || lengthOf(c) <= SMALL_BYTES
  try {
    const body = isSmall ? null : c.req.raw.body
    if (body === null) yield new Uint8Array(await bodyBytes(c, maxBytes))
    else yield* body as unknown as AsyncIterable<Uint8Array>
  } catch (error) {
    if (error instanceof TaskdError) throw error
    throw new TaskdError('E_BAD_REQUEST', 'the body cannot be read')
  }
}

/** As the request says it; NaN when it does not. */
function lengthOf(c: Context): number {
  return Number(c.req.header('content-length') ?? Number.NaN)
}

/** Puts a body together as it comes, for at its end that would take a turn that is too long. */
class Gathered {
  readonly #whole: Buffer | undefined
  readonly #chunks: Uint8Array[] = []
  #size = 0

  /** @param length of the whole, checked before; NaN where it is not known */
  constructor(length: number) {
    this.#whole = length > SMALL_BYTES ? Buffer.allocUnsafe(length) : undefined
  }

  push(chunk: Uint8Array): void {
    if (this.#whole) this.#whole.set(chunk, this.#size)
    else this.#chunks.push(chunk)
    this.#size += chunk.length
  }

  bytes(): Buffer {
    return this.#whole?.subarray(0, this.#size) ?? Buffer.concat(this.#chunks)
  }
}

/** The first byte that is no white space; undefined when there is none. */
function firstOf(chunk: Uint8Array): number | undefined {
  return chunk.find(byte => !BLANK.has(byte))
}

function countOf(chunk: Uint8Array, wanted: number): number {
  let count = 0
  for (let at = chunk.indexOf(wanted); at >= 0; at = chunk.indexOf(wanted, at + 1)) count += 1
  return count
}

/** White space of JSON, and the three bytes of a mark that some editors begin a file with. */
const BLANK: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf])
const AMPERSAND = 0x26
const BRACKET = 0x5b
const BRACE = 0x7b
