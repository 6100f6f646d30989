import { join, resolve } from 'node:path'
import { no, type Read, yes } from '../../config/fields.ts'
import type { LogFileSpec, OutputSpec } from '../../model/program-spec.ts'

export interface LogFolders {
  /** What relative paths start from. */
  readonly base: string
  /** What `~` stands for. */
  readonly home: string
  /** Where logs go that have no path of their own. */
  readonly auto: string
}

export interface LogOwner {
  readonly group: string
  readonly process: string
  readonly stream: 'stdout' | 'stderr'
}

/** Paths that mean our own output, and which of the two. In a container process 1 has the same. */
const DOORS: ReadonlyMap<string, 1 | 2> = new Map([
  ['/dev/stdout', 1],
  ['/dev/stderr', 2],
  ...['/dev/fd', '/proc/self/fd', '/proc/1/fd'].flatMap(
    folder =>
      [
        [`${folder}/1`, 1],
        [`${folder}/2`, 2],
      ] as const,
  ),
])

/** What `stdout_logfile` means: AUTO, NONE, our own output, or a file. */
export function readLog(
  written: string,
  owner: LogOwner,
  folders: LogFolders,
  limits: Omit<LogFileSpec, 'kind' | 'path'>,
): ReturnType<Read<OutputSpec>> {
  const text = withoutQuotes(written)
  if (isNone(text)) return yes({ kind: 'none' })
  if (isAuto(text))
    return yes({ kind: 'file', path: join(folders.auto, autoName(owner)), ...limits })
  const fd = DOORS.get(text)
  if (fd !== undefined) return yes({ kind: 'inherit', fd })
  const { stream } = owner
  if (text.toLowerCase() === 'syslog') return no(NO_SYSLOG, syslogRemedy(stream))
  if (text.endsWith('/')) return no('is a folder', `write ${text}${stream}.log`)
  if (/^\/(?:dev|proc|sys)\//.test(text) && !text.startsWith('/dev/shm/'))
    return no('is no file that can be rotated', 'write a file, /dev/stdout, /dev/stderr or NONE')
  if (/[\n\0]/.test(text)) return no('has a line break in it', 'write the path on one line')
  return yes({ kind: 'file', path: inFolder(text, folders), ...limits })
}

/** Removes quotes around a path: no real file name begins and ends with one. */
export function withoutQuotes(text: string): string {
  return /^(["'])(.*)\1$/s.exec(text)?.[2]?.trim() ?? text
}

export function isAuto(text: string): boolean {
  return text.toLowerCase() === 'auto'
}

export function isNone(text: string): boolean {
  return text === '' || text === '/dev/null' || ['none', 'off'].includes(text.toLowerCase())
}

export const NO_SYSLOG = 'taskd writes no syslog'

export function syslogRemedy(stream: string): string {
  return `write ${stream}_logfile = AUTO or a path, or let the command pipe into logger`
}

/** Absolute; `~` and relative paths as docs/programs.md has them. */
export function inFolder(path: string, { base, home }: LogFolders): string {
  return resolve(base, path === '~' || path.startsWith('~/') ? `${home}${path.slice(1)}` : path)
}

function autoName({ group, process, stream }: LogOwner): string {
  return group === process ? `${process}-${stream}.log` : `${group}-${process}-${stream}.log`
}
