import { z } from 'zod'
import { didYouMean } from '../lib/suggest.ts'

type Issue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

/** What is wrong with a parameter, in words of ours: which one, what is wrong, what to write. */
export function wordingOf(issue: Issue, value: unknown, known: readonly string[]): string[] {
  return explained(issue, [], value, known).map(({ path, words }) => {
    const where = placeOf(path)
    return where === '' ? words : `${where}: ${words}`
  })
}

interface Explained {
  readonly path: Path
  readonly words: string
}

function explained(issue: Issue, at: Path, value: unknown, known: readonly string[]): Explained[] {
  const path = [...at, ...issue.path]
  const found = valueAt(value, path)
  const one = (words: string): Explained[] => [{ path, words }]
  // A schema's own message is the best.
  if (issue.message !== '' && !OWN_WORDS.test(issue.message)) return one(issue.message)
  switch (issue.code) {
    case 'invalid_type':
      return one(typeWords([kindOf(issue.expected)], found))
    case 'invalid_union':
      return alternatives(issue.errors, path, value, known)
    case 'invalid_value':
      return one(`must be ${orOf(issue.values.map(String))}`)
    case 'too_small':
      return one(smallWords(issue))
    case 'too_big':
      return one(bigWords(issue))
    case 'unrecognized_keys':
      return unknownKeys(issue.keys, path, known)
    case 'custom':
    case 'invalid_element':
    case 'invalid_format':
    case 'invalid_key':
    case 'not_multiple_of':
      return one('is not what it should be. /docs says what it takes')
  }
}

/** How zod's own messages begin, where a schema has none. */
const OWN_WORDS = /^(?:Invalid|Too (?:small|big)|Unrecognized key)/

/** Of several accepted kinds, the one that was meant; or the names of all. */
function alternatives(
  errors: readonly (readonly Issue[])[],
  path: Path,
  value: unknown,
  known: readonly string[],
): Explained[] {
  const wrongKind = (issues: readonly Issue[]) =>
    issues.every(one => one.code === 'invalid_type' && one.path.length === 0)
  const inside = (issues: readonly Issue[]) => issues.some(one => one.path.length > 0)
  const meant = errors.find(inside) ?? errors.find(issues => !wrongKind(issues))
  if (meant) return meant.flatMap(issue => explained(issue, path, value, known))
  const kinds = errors.flat().map(one => (one.code === 'invalid_type' ? kindOf(one.expected) : ''))
  return [{ path, words: typeWords([...new Set(kinds)], valueAt(value, path)) }]
}

function typeWords(kinds: readonly string[], found: unknown): string {
  const wanted = orOf(kinds)
  return found === undefined
    ? `is missing. it must be ${wanted}`
    : `must be ${wanted}, and is ${nameOf(found)}`
}

function kindOf(expected: string): string {
  return KINDS[expected] ?? expected
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
}

function nameOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'boolean') return String(value)
  return KINDS[typeof value] ?? typeof value
}

function smallWords({ origin, minimum, inclusive = true }: z.core.$ZodIssueTooSmall): string {
  if (origin === 'string') return minimum === 1 ? 'is empty' : `has less than ${minimum} characters`
  if (origin === 'array') return minimum === 1 ? 'is empty' : `has less than ${minimum} entries`
  return `must be ${inclusive ? 'at least' : 'more than'} ${minimum}`
}

function bigWords({ origin, maximum, inclusive = true }: z.core.$ZodIssueTooBig): string {
  if (origin === 'string') return `has more than ${maximum} characters`
  if (origin === 'array') return `has more than ${maximum} entries`
  return `must be ${inclusive ? 'at most' : 'less than'} ${maximum}`
}

/** More are not listed: ten thousand wrong names are one mistake, repeated. */
const MAX_KEYS = 20

function unknownKeys(keys: readonly string[], path: Path, known: readonly string[]): Explained[] {
  const told = keys.slice(0, MAX_KEYS).map(key => {
    const hint = didYouMean(key, known)
    return { path: [...path, key], words: `is no parameter here${hint && `. ${hint}`}` }
  })
  const rest = keys.length - told.length
  return rest > 0 ? [...told, { path, words: `and ${rest} more are none` }] : told
}

function orOf(words: readonly string[]): string {
  const last = words.at(-1) ?? ''
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} or ${last}`
}

/** `failed[0].task_id` */
function placeOf(path: Path): string {
  return path
    .map((part, n) => {
      if (typeof part === 'number') return `[${part}]`
      const name = String(part).slice(0, 100)
      return n === 0 ? name : `.${name}`
    })
    .join('')
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined
    at = Reflect.get(at, part)
  }
  return at
}

/** The names of the parameters of a schema. */
export function namesOf(schema: z.ZodType): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}
