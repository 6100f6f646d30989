import type { Context } from 'hono'
import { TaskdError } from '../lib/errors.ts'
import { Turns } from '../lib/turns.ts'
import { takeRoom, tooLarge } from './body-size.ts'
import type { DoorEnv } from './door-env.ts'

/** How long reading requests may keep everything else from its turn, ms. */
const SLICE_MS = 8

/** Of all requests together: twenty large bodies hold up the rest no longer than one. */
export const turns = new Turns(SLICE_MS)

/** What is smaller comes in one piece. */
const SMALL_BYTES = 128 << 10

/**
 * Reads the whole body of a request, also of a GET: that is legal and rare, and the web's Request,
 * which the routes see, leaves it out. Whoever asks the request for it later gets the same.
 * @param look is shown each part as it comes; what it throws ends the reading
 * @throws TaskdError E_TOO_LARGE, E_BUSY, E_BAD_REQUEST
 */
export async function readWhole(
  c: Context<DoorEnv>,
  maxBytes: number,
  look: (chunk: Uint8Array) => void = () => undefined,
): Promise<Buffer> {
  const gathered = new Gathered()
  for await (const chunk of chunksOf(c)) {
    if (gathered.size + chunk.length > maxBytes) throw tooLarge(maxBytes)
    await takeRoom(c, chunk.length)
    await turns.wait()
    look(chunk)
    gathered.push(chunk)
  }
  const bytes = gathered.bytes()
  c.req.bodyCache.arrayBuffer = Promise.resolve(bytes) as unknown as ArrayBuffer
  return bytes
}

async function* chunksOf(c: Context<DoorEnv>): AsyncGenerator<Uint8Array> {
  // The request of a test has no socket, and there its GET has no body.
  const incoming = c.req.method === 'GET' ? c.env?.incoming : undefined
  const isSmall = Number(c.req.header('content-length')) <= SMALL_BYTES
  try {
    const body = incoming ?? (isSmall ? null : c.req.raw.body)
    if (body === null) yield new Uint8Array(await c.req.arrayBuffer())
    else yield* body as unknown as AsyncIterable<Uint8Array>
  } catch {
    throw new TaskdError('E_BAD_REQUEST', 'the body cannot be read')
  }
}

/** Joins a body while it comes, because joining it at the end would hold the event loop too long. */
class Gathered {
  #whole: Buffer = Buffer.alloc(0)
  size = 0

  push(chunk: Uint8Array): void {
    if (this.size + chunk.length > this.#whole.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.size + chunk.length, 2 * this.#whole.length))
      larger.set(this.#whole.subarray(0, this.size))
      this.#whole = larger
    }
    this.#whole.set(chunk, this.size)
    this.size += chunk.length
  }

  bytes(): Buffer {
    return this.#whole.subarray(0, this.size)
  }
}

/** White space of JSON, and the three bytes of the byte order mark. */
export function isBlank(byte: number): boolean {
  return BLANK.has(byte)
}

const BLANK: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf])
