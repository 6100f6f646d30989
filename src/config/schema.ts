import type { z } from 'zod'
import { didYouMean, quoted } from '../lib/suggest.ts'
import type { Report } from './diagnostics.ts'
import { isSecretKey } from './secrets.ts'
import { type Entry, headerOf, isPythons, type Section } from './section.ts'

/** The rules for the keys of one kind of section. */
export interface KeyRules<Schema extends z.ZodObject = z.ZodObject> {
  /** As in the header: `relay` of `[relay:x]`; `job` for a section without a kind. */
  readonly kind: string
  /** Where a key belongs, for a hint: `[relay:NAME]`. */
  readonly home: string
  readonly schema: Schema
  /** For keys that must be there: what a hint offers. */
  readonly examples?: Readonly<Record<string, string>>
  /** Whether a change of the key waits until what it is about starts again. */
  waits?(key: string): boolean
  /** Its keys have common names such as `url`, so a misplaced one is no hint at this kind. */
  readonly commonKeys?: true
}

/** What a section says. With mistakes in it, the keys that could be read still serve cross checks. */
export interface Checked<Schema extends z.ZodObject> {
  readonly section: Section
  readonly values: Partial<z.output<Schema>>
  /** Set when every known key is in order and none is missing. */
  readonly complete?: z.output<Schema>
}

const partials = new WeakMap<z.ZodObject, z.ZodObject>()

function partialOf(schema: z.ZodObject): z.ZodObject {
  const known = partials.get(schema) ?? schema.partial()
  partials.set(schema, known)
  return known
}

/**
 * Judges every key of a section on its own.
 * @param textOf what is judged, where that is not the value as written
 */
export function checkSection<Schema extends z.ZodObject>(
  rules: KeyRules<Schema>,
  section: Section,
  report: Report,
  textOf: (entry: Entry) => string = entry => entry.value,
): Checked<Schema> {
  const { schema, examples } = rules
  const input: Record<string, string> = {}
  let above: Entry | undefined
  for (const entry of section.entries.values()) {
    if (Object.hasOwn(schema.shape, entry.name)) {
      input[entry.name] = textOf(entry)
    } else if (!report.full) {
      const hint = remedy(rules, entry.name, report)
      const shown = goesOnWithSecret(entry, above, hint) ? { ...entry, ...UNTOLD } : entry
      const message = `is not a key of ${section.kind === 'job' ? 'a job' : headerOf(section)}`
      if (section.ofSupervisord) report.note(shown, `${message}, and is passed over`, hint)
      else report.problem(shown, message, hint)
    }
    above = entry
  }
  const parsed = schema.safeParse(input)
  if (parsed.success) {
    const complete = parsed.data
    return { section, values: complete, complete }
  }
  const broken = new Set(parsed.error.issues.map(issue => String(issue.path[0])))
  for (const issue of parsed.error.issues) {
    const name = String(issue.path[0])
    if (section.entries.has(name)) {
      report.problem(placeOf(section, name), issue.message, hintOf(issue))
    } else {
      const hint = `add ${name} = ${examples?.[name] ?? '…'}`
      report.problem(placeOf(section, name), `is missing in ${headerOf(section)}`, hint)
    }
  }
  const rest = partialOf(schema).safeParse(without(input, broken)).data ?? {}
  // A default must not replace a value that the user got wrong.
  return { section, values: without(rest, broken) as Partial<z.output<Schema>> }
}

const UNTOLD = { key: 'a line below a secret', value: '' }

/** The second line of a base64 key ends in `=`, and would be quoted as the name of a key. */
function goesOnWithSecret(entry: Entry, above: Entry | undefined, hint: string): boolean {
  if (above === undefined || !isSecretKey(above.name) || !hint.startsWith('known keys'))
    return false
  return above.file === entry.file && above.line === entry.line - 1
}

function without(record: Record<string, unknown>, names: ReadonlySet<string>) {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.has(name)))
}

/** The place of a key, or of the header of a section that lacks it. */
export function placeOf(section: Section, name: string) {
  return section.entries.get(name) ?? { ...section.place, key: name, value: '' }
}

function hintOf(issue: z.core.$ZodIssue): string {
  const hint: unknown = issue.code === 'custom' ? issue.params?.['hint'] : undefined
  return typeof hint === 'string' ? hint : ''
}

function remedy({ kind, schema }: KeyRules, name: string, report: Report): string {
  const keys = Object.keys(schema.shape)
  const homes =
    isPythons(kind) && DAEMONS.includes(name)
      ? ['[supervisord]']
      : (report.kinds?.homesOf(kind, name) ?? [])
  const otherwise =
    homes.length > 0 ? `it belongs in ${homes.join(' or ')}` : `known keys: ${keys.join(', ')}`
  return didYouMean(name, keys, otherwise, quoted)
}

/** Keys of supervisord itself, which people write into the section below by mistake. */
const DAEMONS =
  'pidfile logfile logfile_maxbytes logfile_backups loglevel nodaemon minfds minprocs nocleanup childlogdir identifier strip_ansi silent'.split(
    ' ',
  )
