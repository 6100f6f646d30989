/** White space and then `;`, `#` or `//`: what can end a value. */
const REMARK = /\s(?:[;#]|\/\/)/

/**
 * Where the value ends and its remark begins. `text` is all that follows the `=`, so the blanks
 * before it count: `param=   // nothing` is an empty value with a remark.
 *
 * A quote protects what is between it and its partner. It opens only where a word could begin, so
 * the apostrophe in `don't` is a letter; one without a partner is a plain character.
 */
export function valueEnd(text: string): number {
  if (!REMARK.test(text)) return text.length
  const lonely = new Set<string>()
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charAt(i)
    if ((char === '"' || char === "'") && !lonely.has(char) && opens(text, i)) {
      const end = closing(text, i)
      if (end < 0) lonely.add(char)
      else i = end
    } else if (startsRemark(text, i)) {
      return i
    }
  }
  return text.length
}

function opens(text: string, at: number): boolean {
  return at === 0 || !/[\p{L}\p{N}]/u.test(text.charAt(at - 1))
}

function startsRemark(text: string, at: number): boolean {
  const next = text.charAt(at + 1)
  if (next !== ';' && next !== '#' && !text.startsWith('//', at + 1)) return false
  return /\s/.test(text.charAt(at))
}

/** The partner of the quote at `open`, or -1. In double quotes a backslash protects one character. */
function closing(text: string, open: number): number {
  const quote = text.charAt(open)
  if (quote === "'") return text.indexOf(quote, open + 1)
  for (let i = open + 1; i < text.length; i += 1) {
    const char = text.charAt(i)
    if (char === '\\') i += 1
    else if (char === quote) return i
  }
  return -1
}

/**
 * What a value means. One double-quoted text from end to end loses the quotes, and `\"` and `\\` in it
 * become `"` and `\`. In any other value `\;` and `\#` become `;` and `#`, as npm's `ini` writes them;
 * all else stays as written, quotes and all.
 */
export function decodeValue(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || closing(value, 0) !== value.length - 1)
    return value.replace(/\\([;#])/g, '$1')
  return value.slice(1, -1).replace(/\\(["\\])/g, '$1')
}
