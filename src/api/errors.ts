import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { TaskdError } from '../lib/errors.ts'

/** What every route answers when it cannot do what was asked. */
export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string }
}

export interface Failure {
  readonly status: ContentfulStatusCode
  readonly body: ErrorBody
  /** Nobody's fault but ours: to be logged. */
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
    return failure(statusOf(code), code, whole)
  }
  if (thrown instanceof HTTPException)
    return failure(thrown.status, 'E_BAD_REQUEST', thrown.message)
  return failure(500, 'E_INTERNAL', 'an unexpected error. the log of taskd says more', true)
}

export function failure(
  status: ContentfulStatusCode,
  code: string,
  message: string,
  unexpected = false,
): Failure {
  return { status, body: { error: { code, message } }, unexpected }
}

const CONFLICTS: ReadonlySet<string> = new Set(['E_TASK_EXISTS', 'E_FOREGROUND', 'E_OTHER_CONFIG'])

/** `E_NO_QUEUE` is 404, `E_BAD_TASK` 400, `E_REDIS_AWAY` 503; what nobody thought of is 500. */
function statusOf(code: string): ContentfulStatusCode {
  if (code === 'E_FULL' || code === 'E_RATE') return 429
  if (code === 'E_TOO_LARGE') return 413
  if (code === 'E_BAD_TYPE') return 415
  if (CONFLICTS.has(code)) return 409
  if (code === 'E_KEY_USED') return 422
  if (code === 'E_SECRET') return 401
  if (code === 'E_SCOPE' || code === 'E_HOST' || code === 'E_ORIGIN') return 403
  if (code === 'E_STOPPING' || code === 'E_BUSY' || code === 'E_REDIS_FULL') return 503
  if (code.endsWith('_AWAY')) return 503
  if (code.startsWith('E_NO_')) return 404
  if (code.startsWith('E_BAD_') || code.startsWith('E_TASK_')) return 400
  return 500
}
