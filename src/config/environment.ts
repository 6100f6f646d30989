import { no, type Read, yes } from './fields.ts'

const EXAMPLE = 'write A="x",B=y'

/**
 * `A="x",B=y`, as supervisord writes it: pairs with a comma between; a value in double or single
 * quotes may hold anything, and `\"` or `\\` in double quotes stand for themselves.
 */
export const readEnvironment: Read<Readonly<Record<string, string>>> = text => {
  const pairs = new Map<string, string>()
  let rest = text
  while (rest !== '') {
    const [head, name = ''] = /^\s*([^=,\s]*)\s*=\s*/.exec(rest) ?? []
    if (head === undefined) return no('has a part without =', EXAMPLE)
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      return no(`${JSON.stringify(name.slice(0, 40))} is not a name for a variable`, EXAMPLE)
    if (pairs.has(name)) return no(`sets ${name} twice`, 'keep one of them')
    rest = rest.slice(head.length)
    const [all, value] = readValue(rest)
    if (all === undefined) return no(`has a quote that does not end after ${name}=`, EXAMPLE)
    pairs.set(name, value)
    rest = rest.slice(all.length)
    const [comma] = /^\s*(?:,\s*|$)/.exec(rest) ?? []
    if (comma === undefined)
      return no(`has text after the value of ${name}`, `${EXAMPLE}, with commas between the pairs`)
    rest = rest.slice(comma.length)
  }
  return yes(Object.fromEntries(pairs))
}

/** The text of the value as written, or undefined when its quote does not end; and what it means. */
function readValue(text: string): readonly [string | undefined, string] {
  if (text.startsWith('"')) {
    const [all, inner = ''] = /^"((?:[^"\\]|\\.)*)"/s.exec(text) ?? []
    return [all, inner.replace(/\\(["\\])/g, '$1')]
  }
  if (text.startsWith("'")) {
    const [all, inner = ''] = /^'([^']*)'/.exec(text) ?? []
    return [all, inner]
  }
  const bare = text.split(',', 1)[0] ?? ''
  return [bare, bare.trim()]
}
