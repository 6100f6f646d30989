import type { Problem } from '../config/diagnostics.ts'
import { codeOf, messageOf, TaskdError } from '../lib/errors.ts'
import type { Command } from './context.ts'

/** What a command tells the shell. `status` has two more of its own. */
export const EXIT = { ok: 0, failed: 1, usage: 2, down: 3, unknown: 4 } as const

/** A mistake on the command line. */
export function usageError(message: string, hint = ''): TaskdError {
  return new TaskdError('E_BAD_USAGE', message, hint)
}

/** A configuration that cannot be used; every mistake in it is shown. */
export class BadConfig extends TaskdError {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super('E_BAD_CONFIG', 'the configuration has mistakes', 'correct them: taskd check shows them')
    this.problems = problems
  }
}

/** The one line that says what, why and what to do. */
export function errorLine(error: unknown): string {
  if (error instanceof TaskdError)
    return `taskd: ${error.message}${error.hint === '' ? '' : `. ${error.hint}`}`
  const code = codeOf(error)
  const system = code !== '' && !code.startsWith('ERR_')
  return system ? `taskd: ${messageOf(error)}` : `taskd: unexpected error: ${stackOf(error)}`
}

/** An unexpected error is a bug, so its stack is shown. */
function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error)
}

/** Codes for a wrong command line or configuration. */
const MISUSE = ['E_BAD_USAGE', 'E_BAD_CONFIG', 'E_BAD_REQUEST', 'E_BAD_TASK', 'E_BAD_ROW']

/** Codes for an unknown name. */
const NO_SUCH_NAME = ['E_NO_NAME', 'E_NO_JOB', 'E_NO_QUEUE', 'E_NO_ROW']

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof TaskdError)) return EXIT.failed
  if (NO_SUCH_NAME.includes(error.code)) return EXIT.unknown
  return MISUSE.includes(error.code) ? EXIT.usage : EXIT.failed
}

/** For commands that look a name up: no such name and no daemon have an exit code of their own. */
export function orUnknown(command: Command, others: readonly string[] = []): Command {
  return async (context, args, options) => {
    try {
      return await command(context, args, options)
    } catch (error) {
      if (!(error instanceof TaskdError) || ![...UNKNOWN, ...others].includes(error.code))
        throw error
      context.out.note(errorLine(error))
      return EXIT.unknown
    }
  }
}

const UNKNOWN = ['E_NO_NAME', 'E_NO_DAEMON']
