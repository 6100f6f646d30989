import { dirname, resolve } from 'node:path'
import { computedTexts } from './computed.ts'
import type { Config, Environment } from './config.ts'
import { defaultText } from './default-text.ts'
import { type Note, type Problem, Report } from './diagnostics.ts'
import { type ConfigDeps, judge } from './load.ts'
import { BUILT_IN_QUEUES } from './queues.ts'
import { type Entry, isPythons, type Section } from './section.ts'
import type { SectionKinds } from './section-kind.ts'
import { ENVIRONMENT, underEnvironment } from './settings.ts'
import { gather, type Sources } from './sources.ts'

export interface EffectiveKey {
  readonly key: string
  /** As it would be written in the main file. */
  readonly value: string
  readonly from: Origin
  /** A default that would say something else, or be refused, if it were written down here. */
  readonly unwritten: boolean
}

export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'file'; readonly file: string; readonly line: number }

export interface EffectiveSection {
  readonly section: Section
  readonly keys: readonly EffectiveKey[]
}

export type Effective =
  | {
      readonly ok: true
      readonly sections: readonly EffectiveSection[]
      readonly notes: readonly Note[]
    }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** The keys of `[supervisord]` that count here. */
const INHERITED = ['environment', 'user', 'umask', 'directory']

/**
 * Everything that is in force, and where it comes from: files, overlays, variables, defaults. Values are as
 * they were written, with their secrets: whoever shows them masks them.
 */
export function readEffective(file: string, env: Environment, deps: ConfigDeps): Effective {
  const report = new Report(deps.kinds)
  const sources = gather(file, env, report)
  const loaded = judge(file, sources, env, deps, report)
  if (!loaded.ok) return { ok: false, problems: loaded.problems }
  const { config, notes } = loaded
  const { kinds } = deps
  const sections = inOrder(sources.sections, config, env, kinds).map(one =>
    hereIn(one, config.file),
  )
  const defaults = new Map(sections.map(one => [one, defaultsOf(one, config, kinds)]))
  const attempt = (): readonly Problem[] => {
    const whole = sections.map((one, at) => withDefaults(one, defaults.get(one) ?? [], at))
    const again = judge(file, { ...sources, sections: whole }, env, deps, new Report(deps.kinds))
    return again.ok ? again.notes : again.problems
  }
  const unwritten = leaveOut(sections, defaults, notes, attempt)
  return {
    ok: true,
    notes,
    sections: sections.map(section => ({
      section,
      keys: keysOf(section, defaultsOf(section, config, kinds), unwritten, kinds),
    })),
  }
}

/** Each section that has an effect; `[taskd]` and the queues that nobody wrote down in front. */
function inOrder(
  all: Sources['sections'],
  { file }: Config,
  env: Environment,
  kinds: SectionKinds,
): readonly Section[] {
  const taskd = all.find(one => one.kind === 'taskd')
  const queues = BUILT_IN_QUEUES.filter(
    name => !all.some(one => one.kind === 'queue' && one.name === name),
  ).map((name): Section => {
    const place = { file, line: 0, key: `[queue:${name}]`, value: '' }
    return { kind: 'queue', name, place, entries: new Map() }
  })
  const rest = all.filter(
    ({ kind }) =>
      kind === 'supervisord' ||
      (kinds.rulesOf(kind) !== undefined && !['taskd', 'include'].includes(kind)),
  )
  return [underEnvironment(taskd, file, env), ...queues, ...rest]
}

/** In the main file `%(here)s` is the folder of the main file. */
function hereIn(section: Section, file: string): Section {
  if (!isPythons(section.kind)) return section
  const entries = [...section.entries].filter(
    ([name]) => section.kind !== 'supervisord' || INHERITED.includes(name),
  )
  const moved = entries.map(([name, entry]): [string, Entry] => {
    const folder = dirname(resolve(entry.file))
    if (folder === dirname(file)) return [name, entry]
    const value = entry.value.replace(/%(?:%|\(here\)s)/g, found =>
      found === '%%' ? found : folder.replaceAll('%', '%%'),
    )
    return [name, { ...entry, value }]
  })
  return { ...section, entries: new Map(moved) }
}

/** The place of a default, which no file has. */
const DEFAULT = 'default'

/** What the keys mean that the section does not set. */
function defaultsOf(section: Section, config: Config, kinds: SectionKinds): readonly Entry[] {
  const shape = kinds.rulesOf(section.kind)?.schema.shape ?? {}
  const computed = computedTexts(section, config)
  return Object.entries(shape).flatMap(([name, field]) => {
    const value = computed[name] ?? defaultText(field)
    return section.entries.has(name) || value === undefined
      ? []
      : [{ name, key: name, value, file: DEFAULT, line: 0 }]
  })
}

/** @param at the number of the section, by which it is recognised later */
function withDefaults(section: Section, defaults: readonly Entry[], at: number): Section {
  const added = defaults.map((entry): [string, Entry] => [entry.name, { ...entry, line: at }])
  return { ...section, entries: new Map([...section.entries, ...added]) }
}

/**
 * Some keys are refused beside others, or earn a remark, as soon as they are written down, even with
 * their default. They are found by trying.
 * @param defaults what is tried; what cannot stay is taken out of it
 * @returns the names of what was taken out
 */
function leaveOut(
  sections: readonly Section[],
  defaults: Map<Section, readonly Entry[]>,
  notes: readonly Note[],
  attempt: () => readonly Problem[],
): ReadonlySet<string> {
  const known = new Set(notes.map(idOf))
  const owners = ownersOf(sections)
  const out = new Set<string>()
  const drop = (section: Section, key?: string) => {
    const [keep, go]: [Entry[], Entry[]] = [[], []]
    for (const one of defaults.get(section) ?? [])
      (key === undefined || one.key === key ? go : keep).push(one)
    for (const one of go) out.add(nameOf(section, one))
    defaults.set(section, keep)
  }
  for (let before = -1; before < out.size; ) {
    before = out.size
    for (const found of attempt().filter(one => !known.has(idOf(one)))) {
      const section = found.file === DEFAULT ? sections[found.line] : owners.get(placeId(found))
      if (section !== undefined) drop(section, found.file === DEFAULT ? found.key : undefined)
    }
  }
  return out
}

/** The section that each line belongs to. */
function ownersOf(sections: readonly Section[]): ReadonlyMap<string, Section> {
  return new Map(
    sections.flatMap(section =>
      [section.place, ...section.entries.values()].map(one => [placeId(one), section] as const),
    ),
  )
}

function placeId({ file, line }: { readonly file: string; readonly line: number }): string {
  return `${file}:${line}`
}

function idOf({ file, line, key, message }: Problem): string {
  return JSON.stringify([file, line, key, message])
}

function nameOf({ kind, name }: Section, entry: Entry): string {
  return JSON.stringify([kind, name, entry.name])
}

/** In the order of the manual: what is written, and what is not. */
function keysOf(
  section: Section,
  defaults: readonly Entry[],
  unwritten: ReadonlySet<string>,
  kinds: SectionKinds,
): readonly EffectiveKey[] {
  const all = [...section.entries.values(), ...defaults]
  const order = Object.keys(kinds.rulesOf(section.kind)?.schema.shape ?? {})
  return all
    .toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
    .map(entry => ({
      key: entry.name,
      value: entry.value,
      from: originOf(entry),
      unwritten: unwritten.has(nameOf(section, entry)),
    }))
}

function originOf({ file, line, key }: Entry): Origin {
  if (file === DEFAULT) return { kind: 'default' }
  return file === ENVIRONMENT ? { kind: 'variable', name: key } : { kind: 'file', file, line }
}
