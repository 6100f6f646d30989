import { suggest } from '../lib/suggest.ts'
import { isChannelName } from '../model/channel.ts'
import type { Place } from './diagnostics.ts'

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

/** The job that keys before the first section header belong to. */
export const DEFAULT_JOB = 'default'

export interface Entry extends Place {
  /** The key as the schemas know it; `key` is what the user wrote. */
  readonly name: string
}

export interface Section {
  /** `job` for a header without a kind that is known. */
  readonly kind: string
  /** What follows the colon, or the whole header of a job. */
  readonly name: string
  readonly place: Place
  readonly entries: ReadonlyMap<string, Entry>
  /** In a file of supervisord's own, where an unknown key is not a mistake. */
  readonly ofSupervisord?: boolean
}

export interface Header {
  readonly kind: string
  readonly name: string
}

/** @param named the kinds that may stand before a colon, beside those of supervisord */
export function readHeader(text: string, named: ReadonlySet<string>): Header {
  if (text === 'taskd' || text === 'include') return { kind: text, name: '' }
  const colon = text.indexOf(':')
  const prefix = (colon < 0 ? text : text.slice(0, colon)).trim()
  const name = colon < 0 ? '' : text.slice(colon + 1).trim()
  const foreign = SUPERVISORS.find(one => one === prefix)
  if (foreign !== undefined) return { kind: foreign, name }
  const known = named.has(prefix) || PROGRAMS.includes(prefix)
  return colon >= 0 && known ? { kind: prefix, name } : { kind: 'job', name: text }
}

/** The name of a section in messages, which is unique. */
export function headerOf(header: Header): string {
  if (header.kind === 'job') return `[${header.name}]`
  return header.name === '' ? `[${header.kind}]` : `[${header.kind}:${header.name}]`
}

/** Whether this kind of section belongs to supervisord itself. */
export function isSupervisors(kind: string): boolean {
  return SUPERVISORS.some(one => one === kind)
}

const PROGRAMS = ['program', 'group']
const PYTHONS: readonly string[] = [...PROGRAMS, 'include', ...SUPERVISORS]

/**
 * Supervisor's sections are written as Python's ConfigParser has them: indented lines are more of the
 * value above, `key: value` will do, keys are the same in capitals, and quotes belong to little
 * languages of their own. Jobs have none of that.
 */
export function isPythons(kind: string): boolean {
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

/** What is wrong with the name of a queue, if anything; and what to do. */
export function refuseQueueName(name: string): readonly [string, string] | undefined {
  return isQueueName(name)
    ? undefined
    : ['is not a name for a queue', 'use 1 to 64 of A-Z a-z 0-9 _ . -, as in [queue:mail]']
}

/**
 * As `refuseQueueName`, for sections with a folder of that name: no `..`, and nothing hidden.
 * @param what as in `a relay` @param example a whole header
 */
export function refuseFolderName(
  name: string,
  what: string,
  example: string,
): readonly [string, string] | undefined {
  if (isChannelName(name)) return undefined
  const hint = `use 1 to 64 of A-Z a-z 0-9 _ . -, as in ${example}, and no . in front`
  return [`is not a name for ${what}`, hint]
}

/**
 * What is wrong with the name of a job, if anything; and what to do. `[Taskd]` and `[quue:x]` are no jobs.
 * @param named the kinds that may stand before a colon
 */
export function refuseJobName(
  name: string,
  named: ReadonlySet<string>,
): readonly [string, string] | undefined {
  const near = nearKind(name, named)
  if (near !== undefined) return ['is no kind of section', `did you mean ${near}?`]
  if (!JOB_NAME.test(name))
    return [
      'is not a name for a job',
      'use letters, digits, _ . - and begin with a letter or digit',
    ]
  return Array.from(name).length > MAX_JOB_NAME
    ? [`is longer than ${MAX_JOB_NAME} characters`, 'shorten the name']
    : undefined
}

function nearKind(name: string, named: ReadonlySet<string>): string | undefined {
  const lower = name.toLowerCase()
  if (lower === 'taskd' || lower === 'include') return `[${lower}]`
  const colon = name.indexOf(':')
  if (colon < 0) return undefined
  const kind = suggest(name.slice(0, colon).trim(), [...named])
  return kind === undefined ? undefined : `[${kind}:${name.slice(colon + 1).trim()}]`
}
