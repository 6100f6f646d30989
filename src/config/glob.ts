import { existsSync, readdirSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'

/**
 * The existing files that a shell pattern names, sorted: `*`, `?` and `[abc]` in any part of the
 * path. As in a shell, a wild card does not match a leading dot, and never a slash.
 * @param base what a relative pattern starts from
 */
export function expandGlob(pattern: string, base: string): readonly string[] {
  const parts = pattern.split('/').filter(part => part !== '')
  let found = [isAbsolute(pattern) ? '/' : base]
  for (const part of parts) {
    found = isPattern(part)
      ? found.flatMap(folder => matching(folder, part))
      : found.map(folder => join(folder, part))
  }
  return found.filter(path => existsSync(path)).toSorted()
}

/**
 * Whether a shell pattern names this path, which need not exist.
 * @param path absolute, as `pattern` is
 */
export function matchesGlob(path: string, pattern: string): boolean {
  const names = path.split('/')
  const parts = pattern.split('/')
  return (
    names.length === parts.length &&
    parts.every((part, n) => {
      const name = names[n] ?? ''
      return isPattern(part) ? matchesPart(name, part, tokenize(part)) : name === part
    })
  )
}

export function isPattern(text: string): boolean {
  return /[*?[]/.test(text)
}

function matching(folder: string, part: string): string[] {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  const tokens = tokenize(part)
  return names.filter(name => matchesPart(name, part, tokens)).map(name => join(folder, name))
}

function matchesPart(name: string, part: string, tokens: readonly Token[]): boolean {
  const hidden = name.startsWith('.') && !part.startsWith('.')
  return !hidden && matches(Array.from(name), tokens)
}

type Token = '*' | ((char: string) => boolean)

function tokenize(part: string): Token[] {
  return [...part.matchAll(/\*+|\?|\[([!^]?)([^\]]+)\]|./gsu)].map(([all, not, set]): Token => {
    if (all.startsWith('*')) return '*'
    if (all === '?') return () => true
    if (set !== undefined) return char => inSet(char, set) !== (not !== '')
    return char => char === all
  })
}

function inSet(char: string, set: string): boolean {
  for (const [all] of set.matchAll(/.-.|./gsu)) {
    const [from = '', dash, to = ''] = Array.from(all)
    if (dash === '-' && to !== '' ? char >= from && char <= to : char === from) return true
  }
  return false
}

/** Backtracks to the last star only, so that no pattern takes long. */
function matches(name: readonly string[], tokens: readonly Token[]): boolean {
  let at = 0
  let token = 0
  let star = -1
  let mark = 0
  while (at < name.length) {
    const want = tokens[token]
    if (want === '*') {
      star = token
      mark = at
      token += 1
    } else if (want?.(name[at] ?? '')) {
      token += 1
      at += 1
    } else if (star >= 0) {
      token = star + 1
      mark += 1
      at = mark
    } else {
      return false
    }
  }
  return tokens.slice(token).every(want => want === '*')
}
