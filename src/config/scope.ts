import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import { didYouMean } from '../lib/suggest.ts'
import type { Environment } from './config.ts'
import { type Compiled, compile, hintFor, type Meaning, type Scope } from './format.ts'

/** What the values of supervisord's sections can name. */
export interface Names {
  /** Those of the section, by name. */
  readonly texts: Readonly<Record<string, string>>
  /** The daemon's, for `%(ENV_X)s`. */
  readonly env: Environment
  /** Laid over `env`: what `[supervisord]` sets for all. */
  readonly more?: Readonly<Record<string, string>>
  /** Names whose values only each process knows: its numbers and its own variables. */
  readonly own?: ReadonlySet<string> | undefined
}

const NUMBERS = ['process_num', 'numprocs']
const HOST = hostname()

/** @param file the file of the text: `%(here)s` is its folder */
export function scopeOf(names: Names, file: string): Scope {
  return {
    find: name => meaningOf(name, names, file),
    hint: name => hintOf(name, names),
  }
}

function meaningOf(name: string, names: Names, file: string): Meaning | undefined {
  if (names.own !== undefined) {
    if (NUMBERS.includes(name)) return { kind: 'hole', of: 'number' }
    if (names.own.has(name)) return { kind: 'hole', of: 'text' }
  }
  const text = textOf(name, names, file)
  return text === undefined ? undefined : { kind: 'text', text }
}

function textOf(name: string, names: Names, file: string): string | undefined {
  if (name === 'here') return dirname(resolve(file))
  if (name === 'host_node_name') return HOST
  if (!name.startsWith('ENV_')) return own(names.texts, name)
  return own(names.more ?? {}, name.slice(4)) ?? own(names.env, name.slice(4))
}

function own(record: Environment, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

function hintOf(name: string, names: Names): string {
  if (name.startsWith('ENV_')) {
    const known = Object.keys({ ...names.env, ...names.more, ...ownVariables(names) })
    const otherwise = `set ${name.slice(4, 64)} where the daemon is started, or write the value itself`
    return didYouMean(name.slice(4), known, otherwise, near => `%(ENV_${near})s`)
  }
  const numbers = names.own === undefined ? [] : NUMBERS
  if (NUMBERS.includes(name)) return 'write the same value for all processes of the section'
  const known = [...Object.keys(names.texts), 'here', 'host_node_name', ...numbers].toSorted()
  return hintFor(name, known)
}

function ownVariables({ own }: Names): Record<string, true> {
  return Object.fromEntries([...(own ?? [])].map(name => [name.slice(4), true]))
}

/** The text of a value in which every name is known at once. */
export function expandNow(
  text: string,
  scope: Scope,
):
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly reason: string; readonly hint?: string } {
  if (!text.includes('%')) return { ok: true, value: text }
  const compiled: Compiled = compile(text, scope)
  if (!compiled.ok) return compiled
  return { ok: true, value: compiled.value.filter(part => typeof part === 'string').join('') }
}
