import { didYouMeanOneOf } from '../lib/suggest.ts'
import { no, yes } from './fields.ts'

/** A text with holes that every process fills in for itself. */
export type Format = readonly (string | Hole)[]

/** A name such as `%(process_num)02d`, whose value is not known before there is a process. */
export interface Hole {
  readonly name: string
  readonly style: Style
}

interface Style {
  readonly conversion: string
  readonly flags: string
  readonly width: number
  readonly precision?: number
}

/** What a name stands for: a text known now, or what each process fills in. */
export type Meaning =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'hole'; readonly of: 'number' | 'text' }

export interface Scope {
  find(name: string): Meaning | undefined
  /** What to write instead of a name that is not found. */
  hint(name: string): string
}

export type Compiled =
  | { readonly ok: true; readonly value: Format }
  | { readonly ok: false; readonly reason: string; readonly hint?: string }

/** `%%`, `%(name)02d`, or a `%` that is neither. */
const PERCENT = /%(?:(%)|\(([^()]*)\)([-+ 0#]{0,5})(\d{0,3})(?:\.(\d{0,3}))?([A-Za-z]))?/g
const MAX_WIDTH = 100

/** Reads Python's `%` formatting, in which supervisord's values are written. */
export function compile(text: string, scope: Scope): Compiled {
  if (!text.includes('%')) return yes(text === '' ? [] : [text])
  const parts: (string | Hole)[] = []
  let from = 0
  for (const match of text.matchAll(PERCENT)) {
    const part = read(match, scope)
    if (!part.ok) return part
    parts.push(text.slice(from, match.index), part.value)
    from = match.index + match[0].length
  }
  parts.push(text.slice(from))
  return yes(joined(parts))
}

function read(
  [all, percent, name, flags = '', width, precision, kind]: RegExpExecArray,
  scope: Scope,
) {
  if (percent !== undefined) return yes('%')
  if (name === undefined || kind === undefined)
    return no('has a % that stands for nothing', 'write %% for a percent sign')
  const shown = `%(${name.slice(0, 60)})`
  const meaning = scope.find(name)
  if (meaning === undefined) return no(`has ${shown}s, which is not known here`, scope.hint(name))
  const isNumber = meaning.kind === 'hole' && meaning.of === 'number'
  const known = isNumber ? 'sdiuxXo' : 's'
  if (!known.includes(kind) || (kind === 's' && isNumber && precision !== undefined))
    return no(`cannot expand ${all.slice(0, 80)}`, `write ${shown}${isNumber ? '02d' : 's'}`)
  const style: Style = {
    conversion: kind,
    flags,
    width: Number(width ?? 0),
    ...(precision !== undefined && { precision: Number(precision) }),
  }
  if (Math.max(style.width, style.precision ?? 0) > MAX_WIDTH)
    return no(`makes ${shown} wider than ${MAX_WIDTH}`, 'write a smaller width')
  return yes(meaning.kind === 'text' ? print(meaning.text, style) : { name, style })
}

function joined(parts: readonly (string | Hole)[]): Format {
  const all: (string | Hole)[] = []
  for (const part of parts) {
    const last = all.at(-1)
    if (typeof part === 'string' && typeof last === 'string') all[all.length - 1] = last + part
    else if (part !== '') all.push(part)
  }
  return all
}

export type Fill = (name: string) => string | number

export function render(format: Format, fill: Fill): string {
  let text = ''
  for (const part of format)
    text += typeof part === 'string' ? part : print(fill(part.name), part.style)
  return text
}

export function holds(format: Format, name: string): boolean {
  return format.some(part => typeof part !== 'string' && part.name === name)
}

/** As Python's % does it, for texts and for numbers from 0. */
function print(value: string | number, { conversion, flags, width, precision }: Style): string {
  if (conversion === 's') {
    const text =
      precision === undefined ? `${value}` : Array.from(`${value}`).slice(0, precision).join('')
    return flags.includes('-') ? text.padEnd(width) : text.padStart(width)
  }
  const digits = inBase(Number(value), conversion).padStart(precision ?? 0, '0')
  const sign = flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
  const prefix = sign + (flags.includes('#') && 'xXo'.includes(conversion) ? `0${conversion}` : '')
  if (flags.includes('-')) return (prefix + digits).padEnd(width)
  if (flags.includes('0')) return prefix + digits.padStart(width - prefix.length, '0')
  return (prefix + digits).padStart(width)
}

function inBase(value: number, conversion: string): string {
  if (conversion === 'x') return value.toString(16)
  if (conversion === 'X') return value.toString(16).toUpperCase()
  return value.toString(conversion === 'o' ? 8 : 10)
}

/** `did you mean …` for a name that is not among these. */
export function hintFor(name: string, names: readonly string[]): string {
  const list = `known here: ${names.map(one => `%(${one})s`).join(' ')} %(ENV_NAME)s`
  return didYouMeanOneOf(name, names, list, near => `%(${near})s`)
}
