import { suggest } from '../lib/suggest.ts'
import { isChannelName } from '../model/channel.ts'
import type { Place, Report } from './diagnostics.ts'

/** Kinds with a name after a colon, as in `[queue:mail]`. */
const NAMED = ['queue', 'program', 'group', 'notify', 'channel', 'source', 'relay'] as const

/** What else stands in a supervisord.conf, with or without a name after a colon. */
export const SUPERVISORS = [
  'supervisord',
  'supervisorctl',
  'unix_http_server',
  'inet_http_server',
  'rpcinterface',
  'ctlplugin',
  'eventlistener',
  'fcgi-program',
] as const

export type SectionKind =
  | 'job'
  | 'taskd'
  | 'include'
  | (typeof NAMED)[number]
  | (typeof SUPERVISORS)[number]

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
  /** In a file of supervisord's own, where a key that nobody knows is no mistake. */
  readonly ofSupervisord?: boolean
}

export interface Header {
  readonly kind: SectionKind
  readonly name: string
}

export function readHeader(text: string): Header {
  if (text === 'taskd' || text === 'include') return { kind: text, name: '' }
  const colon = text.indexOf(':')
  const prefix = (colon < 0 ? text : text.slice(0, colon)).trim()
  const name = colon < 0 ? '' : text.slice(colon + 1).trim()
  const foreign = SUPERVISORS.find(one => one === prefix)
  if (foreign !== undefined) return { kind: foreign, name }
  const kind = colon < 0 ? undefined : NAMED.find(one => one === prefix)
  return kind === undefined ? { kind: 'job', name: text } : { kind, name }
}

/** How a section is called in messages, and what makes it unique. */
export function headerOf(header: Header): string {
  if (header.kind === 'job') return `[${header.name}]`
  return header.name === '' ? `[${header.kind}]` : `[${header.kind}:${header.name}]`
}

/** In a file that is supervisord's own, whoever reads it. */
export function isSupervisors(kind: SectionKind): boolean {
  return SUPERVISORS.some(one => one === kind)
}

const PYTHONS: readonly SectionKind[] = ['program', 'group', 'include', ...SUPERVISORS]

/**
 * Supervisor's sections are written as Python's ConfigParser has them: indented lines are more of the
 * value above, `key: value` will do, keys are the same in capitals, and quotes belong to little
 * languages of their own. Jobs have none of that.
 */
export function isPythons(kind: SectionKind): boolean {
  return PYTHONS.includes(kind)
}

const JOB_NAME = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.-]*$/u
const QUEUE_NAME = /^[A-Za-z0-9_.-]{1,64}$/
const MAX_JOB_NAME = 100

export function isQueueName(name: string): boolean {
  return QUEUE_NAME.test(name)
}

/** What is wrong with the name of a program, a group or a process, if anything; and what to do. */
export function refuseProcessName(name: string): readonly [string, string] | undefined {
  if (name === '') return ['has no name', 'use letters, digits, _ . -']
  if (/[\s:/\p{Cc}]/u.test(name))
    return ['has a blank, a : or a / in its name', 'use letters, digits, _ . -']
  return Array.from(name).length > MAX_JOB_NAME
    ? [`is longer than ${MAX_JOB_NAME} characters`, 'shorten the name']
    : undefined
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
  if (kind === 'channel' || kind === 'relay' || kind === 'source') {
    const hint = `use 1 to 64 of A-Z a-z 0-9 _ . -, as in [${kind}:orders], and no . in front`
    if (!isChannelName(name)) report.problem(place, `is not a name for a ${kind}`, hint)
    return
  }
  if (kind === 'program' || kind === 'group') {
    const reason = refuseProcessName(name)
    if (reason !== undefined) report.problem(place, ...reason)
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
