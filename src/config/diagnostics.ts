import { isSecretKey, maskValue } from './secrets.ts'

/** A mistake in the configuration; `taskd check --json` prints exactly these fields. */
export interface Problem {
  readonly file: string
  /** From 1; 0 when it is about the whole file or the environment. */
  readonly line: number
  readonly key: string
  readonly value: string
  /** What is wrong. */
  readonly message: string
  /** What to write instead. */
  readonly hint: string
}

/** Something worth knowing that fails nothing. */
export interface Note extends Problem {
  readonly level: 'note'
}

/** Where a finding belongs; an entry of an INI file is one. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly key: string
  readonly value: string
}

/** Nobody reads more, and a file of junk would make the answer slow. */
const MAX_FINDINGS = 10_000
const MAX_VALUE = 200

/** Which kinds of sections there are. */
export interface KnownKinds {
  /** What may stand before the colon of a header. */
  readonly names: ReadonlySet<string>
  /** Every other kind of section that has the key. */
  homesOf(kind: string, key: string): readonly string[]
}

/** Collects every mistake, so that the user can fix them in one go. */
export class Report {
  /** The kinds of sections that are known here; undefined for whoever looks at `[taskd]` alone. */
  readonly kinds: KnownKinds | undefined
  readonly #problems: Problem[] = []
  readonly #notes: Note[] = []

  constructor(kinds?: KnownKinds) {
    this.kinds = kinds
  }

  problem(place: Place, message: string, hint: string): void {
    if (!this.full) this.#problems.push(finding(place, message, hint))
  }

  note(place: Place, message: string, hint: string): void {
    if (this.#notes.length < MAX_FINDINGS)
      this.#notes.push({ ...finding(place, message, hint), level: 'note' })
  }

  /** True when looking further is of no use. */
  get full(): boolean {
    return this.#problems.length >= MAX_FINDINGS
  }

  /** By file and line; what was found first on a line comes first. */
  problems(): readonly Problem[] {
    const sorted = this.#problems.toSorted(byPlace)
    const last = sorted.at(-1)
    if (this.full && last !== undefined) {
      const message = `checking stopped after ${MAX_FINDINGS} mistakes`
      sorted.push({ ...last, key: '', value: '', message, hint: 'correct these and check again' })
    }
    return sorted
  }

  notes(): readonly Note[] {
    return this.#notes.toSorted(byPlace)
  }
}

function finding(place: Place, message: string, hint: string): Problem {
  const { file, line, key } = place
  return { file, line, key, value: printable(key, place.value, hint), message, hint }
}

function byPlace(a: Problem, b: Problem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1
  return a.line - b.line
}

/** `file:line: key = value: what is wrong. what to write instead` */
export function formatProblem(problem: Problem): string {
  const { file, line, key, value, message, hint } = problem
  const where = line > 0 ? `${file}:${line}` : file
  const what = value === '' ? key : key === '' ? value : `${key} = ${value}`
  const parts = [
    where,
    ...(what === '' ? [] : [what]),
    hint === '' ? message : `${message}. ${hint}`,
  ]
  return oneLine(parts.join(': '))
}

/** Control characters become escapes: a mistake is one line, and cannot change the terminal. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, one => {
    return `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

const MASK = '******'
/** More is neither read nor shown. */
const MAX_LOOK = 16_384

/** The value as it may be shown: short, and with its secrets masked. */
function printable(key: string, value: string, hint: string): string {
  if (value === '') return ''
  // A misspelt `secret` is recognised by the word that the hint offers.
  const meant = /^did you mean "([^"]+)"/.exec(hint)?.[1] ?? key
  if (isSecretKey(key) || isSecretKey(meant)) return MASK
  if (key === '' && (isSecretKey(value) || value.includes('@'))) return MASK
  const shown = maskValue(
    meant.toLowerCase().replace(/^taskd_/, ''),
    value.slice(0, MAX_LOOK),
    MASK,
  )
  return shorten(shown)
}

function shorten(value: string): string {
  return value.length > MAX_VALUE ? `${value.slice(0, MAX_VALUE).toWellFormed()}…` : value
}
