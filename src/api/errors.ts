import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { ERROR_CODES, type ErrorCode } from '../lib/error-codes.ts'
import { TaskdError } from '../lib/errors.ts'

/** What every route answers when it cannot do what was asked. */
export interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly message: string }
}

export interface Failure {
  readonly status: ContentfulStatusCode
  readonly body: ErrorBody
  /** A bug of ours, which has to be logged. */
  readonly unexpected: boolean
}

/** How a route words what went wrong, where that is not an ErrorBody. */
export type Refusal = (failure: Failure) => {
  readonly status: ContentfulStatusCode
  readonly body: object
}

/** As the route words it, or as every other does. */
export function refuse(c: Context, failed: Failure, refusal?: Refusal, headers = {}): Response {
  const { status, body } = refusal?.(failed) ?? failed
  return c.json(body, status, headers)
}

/** What was thrown, as the client may see it: never a stack, never the words of a bug. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof TaskdError) {
    const { code, message, hint } = thrown
    const whole = hint === '' ? message : `${message}. ${hint}`
    return failure(ERROR_CODES[code].status, code, whole)
  }
  if (thrown instanceof HTTPException)
    return failure(thrown.status, 'E_BAD_REQUEST', thrown.message)
  return failure(500, 'E_INTERNAL', 'an unexpected error. the log of taskd says more', true)
}

export function failure(
  status: ContentfulStatusCode,
  code: ErrorCode,
  message: string,
  unexpected = false,
): Failure {
  return { status, body: { error: { code, message } }, unexpected }
}
