/** Finds JSON amid other text: where a value that ends here begins, and where one that begins here ends. */

const QUOTE = 0x22
const OPEN_BRACE = 0x7b
const OPEN_BRACKET = 0x5b
const CLOSE_BRACE = 0x7d
const CLOSE_BRACKET = 0x5d

/** What JSON may have between its strings: blanks, `:`, `,`, numbers, `true`, `false`, `null`. */
const BETWEEN = new Set(Array.from(' \t\r\n:,0123456789+-.eEtrufalsn', one => one.charCodeAt(0)))

/**
 * The place of the bracket that opens the object or list which closes just before `end`.
 * @returns undefined when none closes there; -1 when it begins before this text
 */
export function openingOf(text: string, end: number): number | undefined {
  let depth = 0
  const last = text.charCodeAt(end - 1)
  if (last !== CLOSE_BRACE && last !== CLOSE_BRACKET) return undefined
  for (let at = end - 1; at >= 0; at -= 1) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) at = openingQuote(text, at)
    else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) depth += 1
    else if (char === OPEN_BRACE || char === OPEN_BRACKET) {
      depth -= 1
      if (depth === 0) return at
    } else if (!BETWEEN.has(char)) return undefined
  }
  return -1
}

/** The quote that opens the string which ends at `close`, or -1. */
function openingQuote(text: string, close: number): number {
  for (let at = close; at > 0; ) {
    at = text.lastIndexOf('"', at - 1)
    if (at < 0) return -1
    let slashes = 0
    while (text.charAt(at - 1 - slashes) === '\\') slashes += 1
    if (slashes % 2 === 0) return at
  }
  return -1
}

/** `whole`: valid JSON up to `end`. `open`: valid up to the end of the text, which comes too early. */
export type Reach =
  | { readonly type: 'whole'; readonly end: number }
  | { readonly type: 'open' }
  | { readonly type: 'wrong'; readonly at: number }

/** ` !#-[]-\uffff` is all that a string may hold as it stands: no control character, quote or backslash. */
const STRING = /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[ !#-[\]-\uffff]*)*"/y
const OPEN_STRING =
  /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[ !#-[\]-\uffff]*)*(?:\\(?:u[\da-fA-F]{0,3})?)?$/y
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y
const OPEN_SCALAR = /(?:-?\d*(?:\.\d*)?(?:[eE][+-]?\d*)?|t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?)$/y
const BLANKS = /[ \t\r\n]*/y

/** What may come next. */
type Due = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end'

/** How far the JSON goes that begins at `start`; deeper than `maxDepth` is wrong. */
export function reachOf(text: string, start: number, maxDepth: number): Reach {
  const open: string[] = []
  let due: Due = 'value'
  let at = start
  const takes = (pattern: RegExp): boolean => {
    pattern.lastIndex = at
    if (!pattern.test(text)) return false
    at = pattern.lastIndex
    return true
  }
  for (;;) {
    takes(BLANKS)
    if (at >= text.length) return { type: 'open' }
    const char = text.charAt(at)
    const from = at
    if (char === '"' && due !== ':' && due !== ', or end') {
      if (!takes(STRING)) return takes(OPEN_STRING) ? { type: 'open' } : { type: 'wrong', at }
      due = due.startsWith('key') ? ':' : ', or end'
    } else if (char === ':' && due === ':') {
      at += 1
      due = 'value'
    } else if (char === ',' && due === ', or end') {
      at += 1
      due = open.at(-1) === '{' ? 'key' : 'value'
    } else if ((char === '{' || char === '[') && due.startsWith('value')) {
      at += 1
      if (open.push(char) > maxDepth) return { type: 'wrong', at: from }
      due = char === '{' ? 'key or }' : 'value or ]'
    } else if (ends(char, open.at(-1), due)) {
      at += 1
      open.pop()
      due = ', or end'
    } else if (due.startsWith('value')) {
      if (!takes(SCALAR) && !takes(OPEN_SCALAR)) return { type: 'wrong', at }
      if (at >= text.length) return { type: 'open' }
      due = ', or end'
    } else return { type: 'wrong', at }
    if (open.length === 0) return { type: 'whole', end: at }
  }
}

function ends(char: string, opened: string | undefined, due: Due): boolean {
  if (char === '}') return opened === '{' && (due === 'key or }' || due === ', or end')
  return char === ']' && opened === '[' && (due === 'value or ]' || due === ', or end')
}
