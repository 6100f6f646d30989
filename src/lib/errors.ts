import type { ErrorCode } from './error-codes.ts'

/**
 * A failure the user can act on: one line that says what, why and what to do.
 * Anything else that is thrown is a bug or lost infrastructure.
 */
export class TaskdError extends Error {
  readonly code: ErrorCode
  readonly hint: string

  /** @param hint what to do about it, here and now */
  constructor(code: ErrorCode, message: string, hint = '') {
    super(message)
    this.name = 'TaskdError'
    this.code = code
    this.hint = hint
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) {
    const code = (error as NodeJS.ErrnoException).code
    return error.message || code || error.name
  }
  return String(error)
}

/** The `code` of a system error such as ENOENT, or ''. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return typeof code === 'string' ? code : ''
}

/** The default branch of a switch that must cover every case. */
export function unreachable(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`)
}
