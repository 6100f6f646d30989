/** Why a run that did not succeed ended as it did. The first cause wins. */
export const FAIL_KINDS = [
  'answer', // the script said so
  'exit',
  'signal',
  'http', // what an rpc task asked did not answer, or not with 2xx
  'timeout',
  'spawn',
  'lost',
  'cancelled',
] as const
export type FailKind = (typeof FAIL_KINDS)[number]

/** What a script answers on standard output. */
export interface Answer {
  readonly code: string
  readonly msg: string
  readonly data: unknown
}

/** How a run's process ended, before anybody judges it. */
export interface Ending {
  /** Set when we ended it ourselves, or could not start it. */
  readonly cause?: Extract<FailKind, 'http' | 'timeout' | 'spawn' | 'cancelled' | 'lost'>
  /** For a cause: what to tell people. */
  readonly reason?: string
  readonly exitCode: number | null
  readonly signal: string | null
  /** The last part of standard output. */
  readonly stdout: string
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

/** How much of a long output stands in for a message. */
const MESSAGE_CHARACTERS = 1000

/** The table of outcomes (docs/tasks.md#outcomes), from how the process ended to the verdict. */
export function judge(ending: Ending): RunResult {
  const { exitCode, signal, output } = ending
  const base = { exitCode, signal, output }
  const said = findAnswer(ending.stdout)
  const fail = (kind: FailKind, retryable: boolean, msg: string): RunResult => ({
    ...base,
    outcome: 'fail',
    kind,
    retryable,
    answer: { code: 'fail', msg, data: said?.data ?? [] },
  })

  if (ending.cause !== undefined) {
    const retryable = ending.cause !== 'spawn' && ending.cause !== 'cancelled'
    return fail(ending.cause, retryable, ending.reason ?? ending.cause)
  }
  if (signal !== null)
    return fail('signal', true, said?.msg || tailOr(output, `ended by ${signal}`))
  if (exitCode !== 0)
    return fail('exit', true, said?.msg || tailOr(output, `exit code ${exitCode}`))
  if (said === undefined) {
    const answer = { code: 'succ', msg: tail(output), data: [] }
    return { ...base, outcome: 'succ', kind: '', retryable: false, answer }
  }
  if (said.code === 'succ')
    return { ...base, outcome: 'succ', kind: '', retryable: false, answer: said }
  const outcome = said.code === 'fail' ? 'fail' : 'other'
  return { ...base, outcome, kind: 'answer', retryable: outcome === 'fail', answer: said }
}

/** A task that took this many workers or machines down with it is not tried again. */
export const MAX_DEATHS = 3

const NOTHING: Ending = { exitCode: null, signal: null, stdout: '', output: '' }

/** The verdict on a task that was cancelled before it began. */
export function cancelledResult(reason: string): RunResult {
  return judge({ ...NOTHING, cause: 'cancelled', reason })
}

/** The verdict on a task whose workers died with it too often. */
export function lostResult(deaths: number): RunResult {
  const reason = `its worker or machine died ${deaths} times while it ran`
  return { ...judge({ ...NOTHING, cause: 'lost', reason }), retryable: false }
}

function tail(output: string): string {
  return output.trim().slice(-MESSAGE_CHARACTERS)
}

function tailOr(output: string, otherwise: string): string {
  return tail(output) || otherwise
}

/** The JSON object with a `code`: the whole output, or the last line that is one. */
export function findAnswer(stdout: string): Answer | undefined {
  const whole = stdout.trim()
  if (!whole.includes('"code"')) return undefined
  const direct = readAnswer(whole)
  if (direct !== undefined) return direct
  for (let end = whole.length; end > 0; ) {
    const start = whole.lastIndexOf('\n', end - 1) + 1
    const found = readAnswer(whole.slice(start, end).trim())
    if (found !== undefined) return found
    end = start - 1
  }
  return undefined
}

function readAnswer(line: string): Answer | undefined {
  if (!line.startsWith('{') || !line.endsWith('}')) return undefined
  let value: { code?: unknown; msg?: unknown; data?: unknown }
  try {
    value = JSON.parse(line) as typeof value
  } catch {
    return undefined
  }
  const { code, msg, data } = value
  if (typeof code !== 'string' && typeof code !== 'number' && typeof code !== 'boolean')
    return undefined
  return { code: String(code), msg: typeof msg === 'string' ? msg : textOf(msg), data: data ?? [] }
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? '' : JSON.stringify(value)
}
