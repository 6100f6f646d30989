import { findAnswer } from './answer.ts'
import { type Ending, judge, type RunResult } from './run-result.ts'

/** Functions of the tasks folder: `<tasks>/<trigger>/<NAME>` and an ending. */

/** In the order in which they are looked for. */
export const FUNCTION_ENDINGS = ['.js', '.mjs', '.ts', '.py', '.php'] as const

const MAX_NAME_BYTES = 255

/** Why this cannot be the name of a function, whatever the folder holds; undefined when it can. */
export function wrongFunctionName(name: string): string | undefined {
  if (name === '') return 'is missing: the function to run'
  if (/\p{Cc}/u.test(name)) return 'has control characters'
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `is longer than ${MAX_NAME_BYTES} bytes`
  if (/[/\\]/.test(name)) return 'has a slash: the function lies in the folder itself'
  if (name.startsWith('.')) return 'begins with a dot'
  return undefined
}

/** What names one run in logs and traces: its task and its attempt. */
export const traceIdOf = (taskId: string, attempt: number) => `${taskId}:${attempt}`

/** The verdict on the run of a function, which always answers unless its process ends before it. */
export function judgeFunction(name: string, ending: Ending): RunResult {
  const result = judge(ending)
  const ended = ending.cause === undefined && ending.exitCode === 0
  if (!ended || findAnswer(ending).type !== 'none') return result
  const msg = `${name} ended its process (exit code 0) before it returned`
  const answer = { code: 'fail', msg, data: [] }
  return { ...result, outcome: 'fail', kind: 'exit', retryable: true, answer }
}
