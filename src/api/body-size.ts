import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { TaskdError } from '../lib/errors.ts'

/** A task is at most 1 MiB, and JSON may write one character as six. */
export const USUAL_BYTES = 8 << 20

/** Refuses a larger body by what it says of itself; one that does not say is counted as it comes. */
export function limitBody(maxSize = USUAL_BYTES): MiddlewareHandler {
  const refuse = (): never => {
    throw new TaskdError('E_TOO_LARGE', `the request is larger than ${maxSize / (1 << 20)} MiB`)
  }
  const counted = bodyLimit({ maxSize, onError: refuse })
  return async (c, next) => {
    if (c.req.header('transfer-encoding') !== undefined) return counted(c, next)
    if (Number(c.req.header('content-length') ?? 0) > maxSize) refuse()
    return next()
  }
}
