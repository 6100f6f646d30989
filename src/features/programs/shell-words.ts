import { no, type Read, yes } from '../../config/fields.ts'

const BLANK = /[ \t\r\n]/

/**
 * Splits a command as supervisord does, which is Python's shlex: blanks between words, quotes of
 * both kinds, and a backslash that protects the next character (in double quotes, only `"` and `\`).
 * Nothing else of a shell means anything.
 */
export const splitWords: Read<readonly string[]> = text => {
  const words: string[] = []
  let word: string | undefined
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at)
    if (BLANK.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (char === '\\') {
      at += 1
      if (at >= text.length) return no('ends with a backslash', 'remove it, or write \\\\')
      word = (word ?? '') + text.charAt(at)
    } else if (char === "'" || char === '"') {
      const end = closing(text, at)
      if (end < 0)
        return no(`has a quote ${char} that does not end`, `add ${char}, or write \\${char}`)
      const inner = text.slice(at + 1, end)
      word = (word ?? '') + (char === '"' ? inner.replace(/\\(["\\])/g, '$1') : inner)
      at = end
    } else {
      word = (word ?? '') + char
    }
  }
  if (word !== undefined) words.push(word)
  return yes(words)
}

function closing(text: string, open: number): number {
  const quote = text.charAt(open)
  if (quote === "'") return text.indexOf(quote, open + 1)
  for (let at = open + 1; at < text.length; at += 1) {
    const char = text.charAt(at)
    if (char === quote) return at
    if (char === '\\' && '"\\'.includes(text.charAt(at + 1))) at += 1
  }
  return -1
}
