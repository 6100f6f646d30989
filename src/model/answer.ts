import { readExactly } from '../lib/json-text.ts'
import { openingOf, reachOf } from './json-scan.ts'
import { memberOf } from './json-slices.ts'

/** What a script answers on standard output. */
export interface Answer {
  readonly code: string
  readonly msg: string
  /** A `JsonText` where a number in it has more digits than a double keeps. */
  readonly data: unknown
}

/** What a run has written to standard output. */
export interface Written {
  /** The last part of it. */
  readonly stdout: string
  /** There was more before that. */
  readonly cut?: boolean
  /** How all of it began, where that is known. */
  readonly head?: string
}

/** `broken`: something begins like an answer and cannot be read as one. */
export type Found =
  | { readonly type: 'answer'; readonly answer: Answer }
  | { readonly type: 'broken'; readonly why: string }
  | { readonly type: 'none' }

const NONE: Found = { type: 'none' }

/** JSON that is nested deeper cannot be written out again. */
const MAX_DEPTH = 500
/** How often each place may be examined, so that hostile output cannot keep us busy for ever. */
const LOOKS = 2
/** The fixed cost of a place that begins like an answer, beside the text read from there. */
const A_LOOK = 64

/** The first member of an object: one of the three of an answer. A code is never a list or object. */
const BEGINNING = /\{\s*"(?:code"\s*:\s*(?![\s[{])|(?:msg|data)"\s*:)/g

/**
 * The answer in an output: the last JSON object with a `code` that ends it, wherever it begins;
 * else the last one that has its lines to itself. An answer that was cut, is unfinished or is no
 * valid JSON is not an answer, and must not be treated as if there were none.
 */
export function findAnswer({ stdout, cut = false, head }: Written): Found {
  const text = stdout.trimEnd()
  const attempt = lastAttempt(text)
  if (attempt === 'open') return broken('is unfinished: the output ends within it')
  const last = text.endsWith('}') ? openingOf(text, text.length) : undefined
  if (last === -1 && cut && (head === undefined || beginsLikeOne(head)))
    return broken('is larger than what is kept of the output: 1 MiB')
  const ending = last === undefined || last < 0 ? undefined : readAnswer(text.slice(last))
  if (ending) return { type: 'answer', answer: ending }
  const { answer, at } = onItsOwn(text)
  if (attempt !== undefined && attempt > at) return broken('is not valid JSON')
  return answer ? { type: 'answer', answer } : NONE
}

const broken = (what: string): Found => ({
  type: 'broken',
  why: `what begins like an answer ${what}`,
})

function beginsLikeOne(head: string): boolean {
  return head.trimStart().search(BEGINNING) === 0
}

/**
 * What begins like an answer and is none: `open` when the output ends within it, else the place of
 * the last faulty one, if it ends the output or has a line to itself.
 */
function lastAttempt(text: string): 'open' | number | undefined {
  let wrong: number | undefined
  let left = LOOKS * text.length
  const endsLikeOne = text.endsWith('}')
  const lastLine = text.lastIndexOf('\n') + 1
  BEGINNING.lastIndex = 0
  for (let found = BEGINNING.exec(text); found; found = BEGINNING.exec(text)) {
    const { index } = found
    const reach = reachOf(text, index, MAX_DEPTH)
    if (reach.type === 'open') return 'open'
    if (reach.type === 'whole') BEGINNING.lastIndex = reach.end
    else {
      const alone = isBlank(text, text.lastIndexOf('\n', index) + 1, index)
      if (endsLikeOne || index >= lastLine || (alone && found[0].includes('code'))) wrong = index
      left -= A_LOOK + reach.at - index
      if (left < 0) return wrong
    }
  }
  return isHalfBegun(text) ? 'open' : wrong
}

/** Whether the output ends within the first key of an answer. */
function isHalfBegun(text: string): boolean {
  const at = text.lastIndexOf('{')
  if (at < 0 || text.length - at > 1000) return false
  const rest = text.slice(at + 1).replace(/\s+/g, '')
  // A brace at the end may be anything; on a line of its own it begins an object.
  if (rest === '') return isBlank(text, text.lastIndexOf('\n', at) + 1, at)
  return ['"code":', '"msg":', '"data":'].some(key => key.startsWith(rest))
}

/** The last object with a `code` that has its lines to itself, and where it is. */
function onItsOwn(text: string): { readonly answer?: Answer; readonly at: number } {
  let left = LOOKS * text.length
  for (let end = text.length; end > 0 && left > 0; ) {
    const line = text.lastIndexOf('\n', end - 1) + 1
    const stop = line + text.slice(line, end).trimEnd().length
    end = line - 1
    const start = openingOf(text, stop)
    if (start === undefined) continue
    left -= stop - start
    const begin = text.lastIndexOf('\n', start) + 1
    if (start < 0 || !isBlank(text, begin, start) || !isJson(text.slice(start, stop))) continue
    const answer = readAnswer(text.slice(start, stop))
    if (answer) return { answer, at: start }
    // Objects inside it are part of it.
    end = begin - 1
  }
  return { at: -1 }
}

function isBlank(text: string, from: number, to: number): boolean {
  return text.slice(from, to).trim() === ''
}

function isJson(text: string): boolean {
  const reach = reachOf(text, 0, MAX_DEPTH)
  return reach.type === 'whole' && reach.end === text.length
}

/** An object with a `code`, from its text; undefined for anything else. */
export function readAnswer(text: string): Answer | undefined {
  if (!text.startsWith('{') || !isJson(text)) return undefined
  const value = JSON.parse(text) as { code?: unknown; msg?: unknown; data?: unknown }
  if (!Object.hasOwn(value, 'code')) return undefined
  const { code, msg, data } = value
  if (typeof code !== 'string' && typeof code !== 'number' && typeof code !== 'boolean')
    return undefined
  return {
    code: typeof code === 'number' ? (memberOf(text, 'code') ?? '') : String(code),
    msg: typeof msg === 'string' ? msg : wordsOf(text, msg),
    data: data === undefined || data === null ? [] : readExactly(memberOf(text, 'data') ?? '[]'),
  }
}

/** A message that is not a text, as its JSON. */
function wordsOf(text: string, msg: unknown): string {
  return msg === undefined || msg === null ? '' : (memberOf(text, 'msg') ?? '')
}
