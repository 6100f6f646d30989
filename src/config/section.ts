import { suggest } from '../lib/suggest.ts'
import type { Place, Report } from './diagnostics.ts'

/** Kinds with a name after a colon, as in `[queue:mail]`. */
const NAMED = ['queue', 'program', 'group', 'notify', 'channel', 'source', 'relay'] as const

export type SectionKind = 'job' | 'taskd' | 'include' | (typeof NAMED)[number]

/** The job that keys before the first section header belong to. */
export const DEFAULT_JOB = 'default'

export interface Entry extends Place {
  /** The key as the schemas know it; `key` is what the user wrote. */
  readonly name: string
}

export interface Section {
  readonly kind: SectionKind
  /** What follows the colon, or the whole header of a job. */
  readonly name: string
  readonly place: Place
  readonly entries: ReadonlyMap<string, Entry>
}

export interface Header {
  readonly kind: SectionKind
  readonly name: string
}

export function readHeader(text: string): Header {
  if (text === 'taskd' || text === 'include') return { kind: text, name: '' }
  const colon = text.indexOf(':')
  const prefix = text.slice(0, Math.max(0, colon)).trim()
  const kind = NAMED.find(one => one === prefix)
  if (kind === undefined) return { kind: 'job', name: text }
  return { kind, name: text.slice(colon + 1).trim() }
}

/** How a section is called in messages, and what makes it unique. */
export function headerOf(header: Header): string {
  if (header.kind === 'job') return `[${header.name}]`
  return header.name === '' ? `[${header.kind}]` : `[${header.kind}:${header.name}]`
}

/** Supervisor's sections take indented lines as more of the value above; jobs never do. */
export function takesContinuation(kind: SectionKind): boolean {
  return kind === 'program' || kind === 'group' || kind === 'include'
}

/** A quoted job value is one text; Supervisor's quotes belong to its own little languages. */
export function takesQuotes(kind: SectionKind): boolean {
  return !takesContinuation(kind)
}

/** The one place that knows what is recognised but cannot be run yet. */
const UNSUPPORTED: readonly SectionKind[] = [
  'program',
  'group',
  'notify',
  'channel',
  'source',
  'relay',
]

export function refuseUnsupported(section: Section, report: Report): void {
  if (!UNSUPPORTED.includes(section.kind)) return
  const hint = 'remove the section, or put ; before its lines, to start without it'
  report.problem(section.place, 'is not supported yet', hint)
}

const JOB_NAME = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.-]*$/u
const QUEUE_NAME = /^[A-Za-z0-9_.-]{1,64}$/
const MAX_JOB_NAME = 100

export function isQueueName(name: string): boolean {
  return QUEUE_NAME.test(name)
}

/** Reports a section whose name cannot be used. */
export function checkName(section: Section, report: Report): void {
  const { kind, name, place } = section
  if (kind === 'queue') {
    if (!isQueueName(name))
      report.problem(
        place,
        'is not a name for a queue',
        'use 1 to 64 of A-Z a-z 0-9 _ . -, as in [queue:mail]',
      )
    return
  }
  if (kind !== 'job') return
  const near = nearKind(name)
  if (near !== undefined) {
    report.problem(place, 'is no kind of section', `did you mean ${near}?`)
  } else if (!JOB_NAME.test(name)) {
    const hint = 'use letters, digits, _ . - and begin with a letter or digit'
    report.problem(place, 'is not a name for a job', hint)
  } else if (Array.from(name).length > MAX_JOB_NAME) {
    report.problem(place, `is longer than ${MAX_JOB_NAME} characters`, 'shorten the name')
  }
}

/** `[Taskd]` and `[quue:x]` are no jobs. */
function nearKind(name: string): string | undefined {
  const lower = name.toLowerCase()
  if (lower === 'taskd' || lower === 'include') return `[${lower}]`
  const colon = name.indexOf(':')
  if (colon < 0) return undefined
  const kind = suggest(name.slice(0, colon).trim(), NAMED)
  return kind === undefined ? undefined : `[${kind}:${name.slice(colon + 1).trim()}]`
}
