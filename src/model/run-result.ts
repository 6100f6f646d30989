import { count } from '../lib/count.ts'
import { type Answer, findAnswer, type Written } from './answer.ts'

export type { Answer } from './answer.ts'

/** Why a run that did not succeed ended as it did. The first cause wins. */
export const FAIL_KINDS = [
  'answer', // the script said so, or said something that cannot be read as an answer
  'exit',
  'signal',
  'http', // the server that an rpc task asked did not answer, or not with 2xx
  'timeout',
  'spawn',
  'lost',
  'cancelled',
] as const
export type FailKind = (typeof FAIL_KINDS)[number]

/** How a run's process ended, before anybody judges it. */
export interface Ending extends Written {
  /** Set when we ended it ourselves, or could not start it. */
  readonly cause?: Extract<FailKind, 'http' | 'timeout' | 'spawn' | 'cancelled' | 'lost'>
  /** With the cause `spawn`: it may never start, so there is no retry. */
  readonly refused?: boolean
  /** With a cause: the message for people. */
  readonly reason?: string
  readonly exitCode: number | null
  readonly signal: string | null
  /** The last part of both streams in the order they came. */
  readonly output: string
}

/** The verdict on one run. */
export interface RunResult {
  readonly outcome: 'succ' | 'fail' | 'other'
  /** '' when it succeeded. */
  readonly kind: FailKind | ''
  readonly answer: Answer
  readonly retryable: boolean
  readonly exitCode: number | null
  readonly signal: string | null
  readonly output: string
}

/** How much of a long output serves as the message. */
const MESSAGE_CHARACTERS = 1000

/** The table of outcomes (docs/tasks.md#outcomes), from how the process ended to the verdict. */
export function judge(ending: Ending): RunResult {
  const { exitCode, signal, output } = ending
  const base = { exitCode, signal, output }
  const found = findAnswer(ending)
  const said = found.type === 'answer' ? found.answer : undefined
  const fail = (kind: FailKind, retryable: boolean, msg: string): RunResult => ({
    ...base,
    outcome: 'fail',
    kind,
    retryable,
    answer: { code: 'fail', msg, data: said?.data ?? [] },
  })

  if (ending.cause !== undefined) {
    const retryable = ending.cause !== 'cancelled' && ending.refused !== true
    return fail(ending.cause, retryable, ending.reason ?? ending.cause)
  }
  if (signal !== null)
    return fail('signal', true, said?.msg || tailOr(output, `ended by ${signal}`))
  if (exitCode !== 0)
    return fail('exit', true, said?.msg || tailOr(output, `exit code ${exitCode}`))
  if (found.type === 'broken') return fail('answer', true, found.why)
  if (said === undefined) {
    const answer = { code: 'succ', msg: tail(output), data: [] }
    return { ...base, outcome: 'succ', kind: '', retryable: false, answer }
  }
  if (said.code === 'succ')
    return { ...base, outcome: 'succ', kind: '', retryable: false, answer: said }
  const outcome = said.code === 'fail' ? 'fail' : 'other'
  return { ...base, outcome, kind: 'answer', retryable: outcome === 'fail', answer: said }
}

/** The verdict on a run that succeeded but for what it wrote to standard error. */
export function failedByStderr(result: RunResult, output: string): RunResult {
  const msg = `it wrote to standard error (fail_on_stderr): ${tail(output)}`
  const answer = { code: 'fail', msg, data: result.answer.data }
  return { ...result, outcome: 'fail', kind: 'exit', retryable: true, answer }
}

/** A task that took this many workers or machines down with it is not tried again. */
export const MAX_DEATHS = 3

const NOTHING: Ending = { exitCode: null, signal: null, stdout: '', output: '' }

/** The verdict on a task that was cancelled before it began. */
export function cancelledResult(reason: string): RunResult {
  return judge({ ...NOTHING, cause: 'cancelled', reason })
}

/** Why the schedule ends a run (`overlap = replace`); sent from node to node in these words. */
export const REPLACED = 'replaced by the next tick'

/** It did not succeed but does not count as a failure: not in fail_log, and no count, pause or notice. */
export function isReplaced({
  kind,
  msg,
}: {
  readonly kind: string
  readonly msg: string
}): boolean {
  return kind === 'cancelled' && msg === REPLACED
}

/** The verdict on a task whose workers died with it too often. */
export function lostResult(deaths: number): RunResult {
  const reason = `its worker or machine died ${count(deaths, 'time')} while it ran`
  return { ...judge({ ...NOTHING, cause: 'lost', reason }), retryable: false }
}

function tail(output: string): string {
  return output.trim().slice(-MESSAGE_CHARACTERS)
}

function tailOr(output: string, otherwise: string): string {
  return tail(output) || otherwise
}
