import { no, type Read, yes } from '../../config/fields.ts'

const EXAMPLE = 'write A="x",B="y", with commas between'

/** What needs no quotes in supervisord's `environment`. */
const WORD = /[\w/.+\-():]|[^\0-\x7F]/
const NAME = /^[\w/.+\-():]+$/

/**
 * supervisord's `A="x",B='y',C=z`. Up to 4.3 a backslash in quotes is a plain character; from 4.4
 * on, `\"` in double quotes is a quote. What the former can read means what it always meant; what
 * it cannot is tried as the latter.
 */
export const readPairs: Read<ReadonlyMap<string, string>> = text => {
  const plain = read(text, false)
  if (plain.ok) return plain
  const escaped = read(text, true)
  return escaped.ok ? escaped : plain
}

function read(text: string, escapes: boolean): ReturnType<Read<ReadonlyMap<string, string>>> {
  const pairs = new Map<string, string>()
  let rest = text.trimStart()
  while (rest !== '') {
    const [head, name = ''] = /^([^=,\s]*)\s*=\s*/.exec(rest) ?? []
    if (head === undefined) return no('has a part without =', EXAMPLE)
    if (!NAME.test(name))
      return no(`${JSON.stringify(name.slice(0, 40))} is not a name for a variable`, EXAMPLE)
    rest = rest.slice(head.length)
    const value = readValue(rest, name, escapes)
    if (!value.ok) return value
    pairs.set(name, value.value.means)
    rest = rest.slice(value.value.length)
    const [comma] = /^\s*(?:,\s*|$)/.exec(rest) ?? []
    if (comma === undefined)
      return no(
        `has ${JSON.stringify(rest.trim().slice(0, 1))} after the value of ${name}`,
        `put the whole value in quotes: ${name}="…", with commas between the pairs`,
      )
    rest = rest.slice(comma.length)
  }
  return yes(pairs)
}

function readValue(text: string, name: string, escapes: boolean) {
  const quote = text.charAt(0)
  if (quote === '"' || quote === "'") {
    const whole = escapes && quote === '"' ? /^"((?:[^"\\]|\\.)*)"/s : /^(["'])[^]*?\1/
    const [all, inner = ''] = whole.exec(text) ?? []
    if (all === undefined) return no(`has a quote that does not end after ${name}=`, EXAMPLE)
    // Quotes inside the quotes go as well, at either end: "'x'" is x.
    const means = escapes && quote === '"' ? inner.replace(/\\(["\\])/g, '$1') : stripped(all)
    return yes({ length: all.length, means })
  }
  let end = 0
  while (
    end < text.length &&
    (WORD.test(text.charAt(end)) || (end > 0 && /["']/.test(text.charAt(end))))
  )
    end += 1
  if (end === 0) return no(`has no value after ${name}=`, `write ${name}="" for an empty one`)
  return yes({ length: end, means: stripped(text.slice(0, end)) })
}

function stripped(text: string): string {
  return text.replace(/^["']+|["']+$/g, '')
}
