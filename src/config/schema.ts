import { z } from 'zod'
import { suggest } from '../lib/suggest.ts'
import type { Report } from './diagnostics.ts'
import { filled } from './fields.ts'
import { channelSchema, relaySchema } from './schema-channel.ts'
import { jobSchema } from './schema-job.ts'
import { notifySchema } from './schema-notify.ts'
import { groupSchema, programSchema } from './schema-program.ts'
import { queueSchema } from './schema-queue.ts'
import { sourceSchema } from './schema-source.ts'
import { taskdSchema } from './schema-taskd.ts'
import { isSecretKey } from './secrets.ts'
import { type Entry, headerOf, isPythons, type Section } from './section.ts'

export const SCHEMAS = {
  job: jobSchema,
  taskd: taskdSchema,
  queue: queueSchema,
  program: programSchema,
  group: groupSchema,
  channel: channelSchema,
  relay: relaySchema,
  source: sourceSchema,
  notify: notifySchema,
  include: z.object({ files: filled('conf.d/*.ini') }),
}

export type Known = keyof typeof SCHEMAS
export type Values<K extends Known> = z.output<(typeof SCHEMAS)[K]>

/** What a section says. With mistakes in it, the keys that could be read still serve cross checks. */
export interface Checked<K extends Known> {
  readonly section: Section
  readonly values: Partial<Values<K>>
  /** Set when every known key is in order and none is missing. */
  readonly complete?: Values<K>
}

const PARTIAL: Readonly<Record<Known, z.ZodObject>> = {
  job: SCHEMAS.job.partial(),
  taskd: SCHEMAS.taskd.partial(),
  queue: SCHEMAS.queue.partial(),
  program: SCHEMAS.program.partial(),
  group: SCHEMAS.group.partial(),
  channel: SCHEMAS.channel.partial(),
  relay: SCHEMAS.relay.partial(),
  source: SCHEMAS.source.partial(),
  notify: SCHEMAS.notify.partial(),
  include: SCHEMAS.include.partial(),
}

/**
 * Judges every key of a section on its own.
 * @param textOf what is judged, where that is not the value as written
 */
export function checkSection<K extends Known>(
  kind: K,
  section: Section,
  report: Report,
  textOf: (entry: Entry) => string = entry => entry.value,
): Checked<K> {
  const schema: z.ZodObject = SCHEMAS[kind]
  const input: Record<string, string> = {}
  let above: Entry | undefined
  for (const entry of section.entries.values()) {
    if (Object.hasOwn(schema.shape, entry.name)) {
      input[entry.name] = textOf(entry)
    } else if (!report.full) {
      const hint = remedy(kind, entry.name)
      const shown = goesOnWithSecret(entry, above, hint) ? { ...entry, ...UNTOLD } : entry
      const message = `is not a key of ${describe(kind, section)}`
      if (section.ofSupervisord) report.note(shown, `${message}, and is passed over`, hint)
      else report.problem(shown, message, hint)
    }
    above = entry
  }
  const parsed = schema.safeParse(input)
  if (parsed.success) {
    const complete = parsed.data as Values<K>
    return { section, values: complete, complete }
  }
  const broken = new Set(parsed.error.issues.map(issue => String(issue.path[0])))
  for (const issue of parsed.error.issues) {
    const name = String(issue.path[0])
    if (section.entries.has(name)) {
      report.problem(placeOf(section, name), issue.message, hintOf(issue))
    } else {
      const hint = `add ${name} = ${EXAMPLES[name] ?? '…'}`
      report.problem(placeOf(section, name), `is missing in ${headerOf(section)}`, hint)
    }
  }
  const rest = PARTIAL[kind].safeParse(without(input, broken)).data ?? {}
  // A default must not stand in for what the user got wrong.
  return { section, values: without(rest, broken) as Partial<Values<K>> }
}

const UNTOLD = { key: 'a line below a secret', value: '' }

/** The second line of a key in base64 ends in `=`, and would be told as the name of a key. */
function goesOnWithSecret(entry: Entry, above: Entry | undefined, hint: string): boolean {
  if (above === undefined || !isSecretKey(above.name) || !hint.startsWith('known keys'))
    return false
  return above.file === entry.file && above.line === entry.line - 1
}

function without(record: Record<string, unknown>, names: ReadonlySet<string>) {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.has(name)))
}

/** For keys that must be there. */
const EXAMPLES: Readonly<Record<string, string>> = {
  task_key: 'sync_tasks',
  run_time: '*/5 * * * *',
  script: '/var/www/points/index.php',
  files: 'conf.d/*.ini',
  command: '/usr/bin/php /srv/worker.php',
  programs: 'a,b',
  table: 'orders',
  columns: 'id!:int, name',
  redis: 'redis://host:6379/0',
  list: 'todo',
  to: 'ops@example.org',
  from: 'taskd@example.org',
}

/** Where a key stands, or the header of a section that lacks it. */
export function placeOf(section: Section, name: string) {
  return section.entries.get(name) ?? { ...section.place, key: name, value: '' }
}

function hintOf(issue: z.core.$ZodIssue): string {
  const hint: unknown = issue.code === 'custom' ? issue.params?.['hint'] : undefined
  return typeof hint === 'string' ? hint : ''
}

function describe(kind: Known, section: Section): string {
  return kind === 'job' ? 'a job' : headerOf(section)
}

function remedy(kind: Known, name: string): string {
  const keys = Object.keys(SCHEMAS[kind].shape)
  const near = suggest(name, keys)
  if (near !== undefined) return `did you mean "${near}"?`
  const homes = homesOf(kind, name)
  return homes.length > 0 ? `it belongs in ${homes.join(' or ')}` : `known keys: ${keys.join(', ')}`
}

const HOMES: Readonly<Record<Known, string>> = {
  job: 'a job',
  taskd: '[taskd]',
  queue: '[queue:NAME]',
  program: '[program:NAME]',
  group: '[group:NAME]',
  channel: '[channel:NAME]',
  relay: '[relay:NAME]',
  source: '[source:NAME]',
  notify: '[notify:NAME]',
  include: '[include]',
}

/** Of supervisord itself: people write them one section too low. */
const DAEMONS =
  'pidfile logfile logfile_maxbytes logfile_backups loglevel nodaemon minfds minprocs nocleanup childlogdir identifier strip_ansi silent'.split(
    ' ',
  )

/** Every section that has the key. A program's `url` or `list` is meant for no relay or notice. */
function homesOf(kind: Known, name: string): readonly string[] {
  if (isPythons(kind) && DAEMONS.includes(name)) return ['[supervisord]']
  return Object.entries(HOMES)
    .filter(([other]) => {
      if (other === kind || !Object.hasOwn(SCHEMAS[other as Known].shape, name)) return false
      return !isPythons(kind) || !['channel', 'relay', 'source', 'notify'].includes(other)
    })
    .map(([, home]) => home)
}
