import type { IncomingMessage } from 'node:http'
import type { Context } from 'hono'
import { TaskdError } from '../lib/errors.ts'
import type { DoorEnv } from './door-env.ts'

/** A body is read once, and asked for by whoever reads the parameters and by the route. */
const ofGets = new WeakMap<IncomingMessage, Promise<ArrayBuffer>>()

/**
 * The body of a request, also of a GET: that is legal and rare, and the web's Request, which the
 * routes see, leaves it out.
 * @throws TaskdError E_TOO_LARGE
 */
export function bodyBytes(c: Context<DoorEnv>, maxBytes: number): Promise<ArrayBuffer> {
  const incoming = c.env?.incoming
  if (c.req.method !== 'GET' || incoming === undefined) return c.req.arrayBuffer()
  const known = ofGets.get(incoming) ?? readAll(incoming, maxBytes)
  ofGets.set(incoming, known)
  return known
}

async function readAll(incoming: IncomingMessage, maxBytes: number): Promise<ArrayBuffer> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of incoming as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > maxBytes)
      throw new TaskdError('E_TOO_LARGE', `the request is larger than ${maxBytes / (1 << 20)} MiB`)
    parts.push(part)
  }
  const whole = Buffer.concat(parts)
  return whole.buffer.slice(whole.byteOffset, whole.byteOffset + whole.length)
}
