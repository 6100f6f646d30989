import type { Parsed } from '../lib/parsed.ts'

/** The arguments that a row of `task` gives its function. */
export interface FunctionArgs {
  /** As the text of a JSON list: numbers keep every digit. */
  readonly list: string
  /** Those that are not JSON and were taken as texts. */
  readonly words: readonly string[]
}

/**
 * Comma-separated JSON values, as `1,2,3` or `"guess","hello"`; nothing at all means none. A bare
 * word, as in `guess,hello`, is a text: the scheduler that this replaces allowed that.
 */
export function readFunctionArgs(text: string): Parsed<FunctionArgs> {
  if (isJson(`[${text}]`)) return { ok: true, value: { list: `[${text}]`, words: [] } }
  const words: string[] = []
  const parts = valuesOf(text).map(part => {
    if (isJson(part)) return part
    words.push(part)
    return JSON.stringify(part)
  })
  if (!words.every(isWord)) return { ok: false, reason: WRONG }
  return { ok: true, value: { list: `[${parts.join(',')}]`, words } }
}

const WRONG =
  'is no list of JSON values and words. write for instance 1,2,3 or "guess","hello" or guess,hello'

/** The texts between commas; commas inside strings, lists and objects do not count. */
function valuesOf(text: string): string[] {
  const found: string[] = []
  let from = 0
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at += 1) {
    const one = text[at]
    if (quoted && one === '\\') at += 1
    else if (one === '"') quoted = !quoted
    else if (quoted) continue
    else if (one === '[' || one === '{') depth += 1
    else if (one === ']' || one === '}') depth -= 1
    else if (one === ',' && depth === 0) {
      found.push(text.slice(from, at).trim())
      from = at + 1
    }
  }
  return [...found, text.slice(from).trim()]
}

/** A part with quotes or brackets is faulty JSON, not a word. */
function isWord(part: string): boolean {
  return part !== '' && !/["[\]{}]|\p{Cc}/u.test(part)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
