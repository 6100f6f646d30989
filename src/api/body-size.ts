import type { Context, MiddlewareHandler } from 'hono'
import { TaskdError } from '../lib/errors.ts'
import { type BodyLease, BodyRoom } from './body-room.ts'

/** A task is at most 1 MiB, and JSON may write one character as six. */
export const USUAL_BYTES = 8 << 20
/** Of all large bodies together: two of the largest. */
const ROOM_BYTES = 128 << 20
/** How long a body waits for room. */
const PATIENCE_MS = 10_000

const room = new BodyRoom(ROOM_BYTES, PATIENCE_MS)
const leases = new WeakMap<Request, BodyLease>()

/**
 * Refuses a body whose declared length is too large; the reader counts the bytes that come. Its room
 * is given back once the request is answered, because what was made of the body lives that long.
 */
export function limitBody(maxBytes = USUAL_BYTES): MiddlewareHandler {
  return async (c, next) => {
    if (Number(c.req.header('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes)
    const lease = room.open()
    leases.set(c.req.raw, lease)
    try {
      await next()
    } finally {
      lease.release()
    }
  }
}

/** This many bytes of the body have come: waits until there is room for them. @throws TaskdError E_BUSY */
export async function takeRoom(c: Context, bytes: number): Promise<void> {
  await leases.get(c.req.raw)?.grow(bytes, c.req.raw.signal)
}

export function tooLarge(maxBytes: number): TaskdError {
  return new TaskdError('E_TOO_LARGE', `the request is larger than ${maxBytes / (1 << 20)} MiB`)
}
