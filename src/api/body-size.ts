import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { TaskdError } from '../lib/errors.ts'
import { BodyRoom } from './body-room.ts'

/** A task is at most 1 MiB, and JSON may write one character as six. */
export const USUAL_BYTES = 8 << 20
/** What is smaller needs no room of its own. */
const SMALL_BYTES = 1 << 20
/** Of all large bodies together: two of the largest. */
const ROOM_BYTES = 128 << 20
/** How long a request waits for room. */
const PATIENCE_MS = 10_000

const room = new BodyRoom(ROOM_BYTES)

/** Refuses a larger body by what it says of itself; one that does not say is counted as it comes. */
export function limitBody(maxSize = USUAL_BYTES): MiddlewareHandler {
  const refuse = (): never => {
    throw new TaskdError('E_TOO_LARGE', `the request is larger than ${maxSize / (1 << 20)} MiB`)
  }
  const counted = bodyLimit({ maxSize, onError: refuse })
  return async (c, next) => {
    if (c.req.header('transfer-encoding') !== undefined)
      return withRoom(c, maxSize, async () => {
        await counted(c, next)
      })
    const size = Number(c.req.header('content-length') ?? 0)
    if (size > maxSize) refuse()
    return size > SMALL_BYTES ? withRoom(c, size, next) : next()
  }
}

/** Holds room for a body until it is answered: so long what was made of it lives. */
async function withRoom(c: Context, bytes: number, act: () => Promise<void>): Promise<void> {
  const over = AbortSignal.any([c.req.raw.signal, AbortSignal.timeout(PATIENCE_MS)])
  const release = await room.take(bytes, over)
  try {
    await act()
  } finally {
    release()
  }
}
