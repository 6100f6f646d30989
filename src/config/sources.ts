import { readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { codeOf, messageOf } from '../lib/errors.ts'
import type { Environment } from './config.ts'
import { INCLUDE } from './core-kinds.ts'
import { decode } from './decode.ts'
import type { Place, Report } from './diagnostics.ts'
import { expandGlob, isPattern } from './glob.ts'
import { readIni } from './read-ini.ts'
import { checkSection, placeOf } from './schema.ts'
import { expandNow, scopeOf } from './scope.ts'
import { headerOf, isPythons, isSupervisors, type Section } from './section.ts'

export interface Sources {
  /** Every file that was read, absolute. */
  readonly files: readonly string[]
  readonly sections: readonly Section[]
}

/**
 * Reads the main file, what it includes, and the overlay that APP_ENV asks for. A supervisord.conf that
 * is included brings what it includes itself.
 */
export function gather(file: string, env: Environment, report: Report): Sources {
  const files: string[] = []
  const read = (path: string): readonly Section[] => {
    files.push(resolve(path))
    return readSections(path, report)
  }
  const readAll = (path: string, bySupervisord = false): readonly Section[] => {
    const found = read(path)
    const ofSupervisord = isOfSupervisord(path, found, bySupervisord)
    const own = ofSupervisord ? found.map(section => ({ ...section, ofSupervisord })) : found
    const isWhole = path === file || own.some(section => section.kind === 'supervisord')
    if (!isWhole) return withoutInclude(own, report)
    const all = [...own]
    for (const section of own.filter(one => one.kind === 'include')) {
      for (const found of includedFiles(section, path, env, report))
        if (!files.includes(resolve(found))) all.push(...readAll(found, ofSupervisord))
    }
    // Each file has its own patterns, so two `[include]` sections are not duplicates.
    return all.filter(section => section.kind !== 'include' || section.place.file === file)
  }
  const base = mergeDuplicates(readAll(file), report)
  const overlay = overlayFiles(file, env, report).flatMap(path =>
    withoutInclude(read(path), report),
  )
  return { files, sections: layOver(base, overlay, report) }
}

/**
 * Whether a file was written for supervisord: it has nothing of ours, and a section of supervisord's
 * own, a name that ends in .conf, or is included by such a one.
 */
function isOfSupervisord(
  path: string,
  sections: readonly Section[],
  bySupervisord: boolean,
): boolean {
  if (!sections.every(({ kind }) => isPythons(kind))) return false
  return bySupervisord || path.endsWith('.conf') || sections.some(({ kind }) => isSupervisors(kind))
}

function readSections(file: string, report: Report): readonly Section[] {
  const whole = { file, line: 0, key: '', value: '' }
  try {
    const refusal = refuseFile(file)
    if (refusal === undefined) {
      const decoded = decode(readFileSync(file))
      if (decoded.ok) return readIni(decoded.text, file, report)
      report.problem({ ...whole, line: decoded.line }, decoded.reason, decoded.hint)
    } else report.problem(whole, ...refusal)
  } catch (error) {
    report.problem(whole, ...unreadable(error))
  }
  return []
}

/** A larger file is not a configuration. */
const MAX_BYTES = 16 * 1024 * 1024

/** Checked before reading: a pipe never ends, and a log of many gigabytes takes long. */
function refuseFile(file: string): readonly [string, string] | undefined {
  const stat = statSync(file)
  if (stat.isDirectory())
    return ['is a directory', `name the file in it, such as ${join(file, 'cron.ini')}`]
  if (!stat.isFile()) return ['is not a regular file', 'name a configuration file']
  return stat.size > MAX_BYTES
    ? ['is larger than 16 MB', 'name a configuration file, or split it with [include]']
    : undefined
}

function unreadable(error: unknown): readonly [string, string] {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return [
        'there is no such file',
        'name one with --config or TASKD_CONFIG; else ./conf/cron.ini and /etc/taskd/cron.ini are looked for',
      ]
    case 'EACCES':
    case 'EPERM':
      return ['may not be read by this user', 'change its permissions, or run as its owner']
    default:
      return [`cannot be read: ${messageOf(error)}`, 'name a configuration file']
  }
}

/** Patterns are separated by blanks, as in Supervisor, and start from the folder of the file. */
function includedFiles(
  section: Section,
  file: string,
  env: Environment,
  report: Report,
): readonly string[] {
  const { values } = checkSection(INCLUDE, section, report)
  const found: string[] = []
  const files = expandFiles(values.files ?? '')
  for (const pattern of files.split(/\s+/).filter(one => one !== '')) {
    const matched = expandGlob(pattern, dirname(file))
    found.push(...matched)
    if (matched.length > 0 || isPattern(pattern)) continue
    const hint = 'create it, or remove it from files'
    report.note(placeOf(section, 'files'), `there is no file ${pattern}; nothing is included`, hint)
  }
  return found

  /** Any other `%` is a character of a name. */
  function expandFiles(text: string): string {
    if (!text.includes('%(')) return text
    const read = expandNow(text, scopeOf({ texts: {}, env }, file))
    if (read.ok) return read.value
    report.problem(placeOf(section, 'files'), read.reason, read.hint ?? '')
    return ''
  }
}

function withoutInclude(sections: readonly Section[], report: Report): readonly Section[] {
  return sections.filter(section => {
    if (section.kind !== 'include') return true
    const hint = 'name all files in [include] of the main file'
    report.problem(section.place, 'an included file cannot include others', hint)
    return false
  })
}

const OVERLAYS = ['local', 'test', 'online']

function overlayFiles(file: string, env: Environment, report: Report): readonly string[] {
  const name = env['APP_ENV'] ?? ''
  if (name === '') return []
  const place = { file: 'environment', line: 0, key: 'APP_ENV', value: name }
  if (!OVERLAYS.includes(name)) {
    report.note(place, 'is not local, test or online', 'no other files are laid over the main one')
    return []
  }
  const folder = join(dirname(file), name)
  const found = expandGlob('*.ini', folder)
  if (found.length === 0)
    report.note(place, `there is no ${join(folder, '*.ini')}`, 'nothing is laid over the main file')
  return found
}

/**
 * A section may appear once in the main file and all that it includes. One that supervisord knows may
 * appear again, as for supervisord: its keys are added to the first.
 */
function mergeDuplicates(sections: readonly Section[], report: Report): readonly Section[] {
  const kept: Section[] = []
  const seen = new Map<string, number>()
  for (const section of sections) {
    const at = seen.get(headerOf(section))
    const first = at === undefined ? undefined : kept[at]
    if (at === undefined || first === undefined) {
      seen.set(headerOf(section), kept.length)
      kept.push(section)
      continue
    }
    const { file, line } = first.place
    const where = file === section.place.file ? `line ${line}` : `${file}:${line}`
    if (isPythons(section.kind) && section.kind !== 'include') {
      const message = `is already there on ${where}: its keys are added, and the last of one name counts`
      report.note(section.place, message, 'put all its keys into one section')
      const entries = new Map([...first.entries, ...section.entries])
      const ofSupervisord = first.ofSupervisord === true && section.ofSupervisord === true
      kept[at] = { ...first, entries, ofSupervisord }
    } else {
      const message = `is already there on ${where}`
      report.problem(section.place, message, `rename one of them, or keep ${where} only`)
      // It stays, so that its keys are judged as well.
      kept.push(section)
    }
  }
  return kept
}

/** Key by key: what an overlay says wins, what it does not say stays. */
function layOver(
  base: readonly Section[],
  overlay: readonly Section[],
  report: Report,
): readonly Section[] {
  if (overlay.length === 0) return base
  const merged = new Map<string, Section>()
  // Doubles are reported already; they stay, so that their keys are judged as well.
  const doubles: Section[] = []
  for (const section of base) {
    if (merged.has(headerOf(section))) doubles.push(section)
    else merged.set(headerOf(section), section)
  }
  const laid = new Map<string, Place>()
  for (const section of overlay) {
    const id = headerOf(section)
    for (const entry of section.entries.values()) {
      const first = laid.get(`${id} ${entry.name}`)
      if (first === undefined) laid.set(`${id} ${entry.name}`, entry)
      else
        report.problem(entry, `is already set by ${first.file}:${first.line}`, 'keep one of them')
    }
    const below = merged.get(id) ?? section
    merged.set(id, { ...below, entries: new Map([...below.entries, ...section.entries]) })
  }
  return [...merged.values(), ...doubles]
}
