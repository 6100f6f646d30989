import type { Place, Report } from './diagnostics.ts'
import { decodeValue, valueEnd } from './ini-value.ts'
import { isSecretKey } from './secrets.ts'
import {
  DEFAULT_JOB,
  type Entry,
  type Header,
  headerOf,
  isPythons,
  readHeader,
  type Section,
} from './section.ts'

/** With this many lines that make no sense, the file is not a configuration. */
const MAX_BAD_LINES = 100
/** Far more than one machine can run. */
const MAX_SECTIONS = 100_000

interface Open extends Section {
  readonly entries: Map<string, Entry>
}

/** The key that an indented line would continue. */
interface Last {
  readonly name: string
  readonly indent: number
}

/**
 * Splits the text of one INI file into sections that know their lines. What cannot be read is
 * reported and left out. docs/configuration.md has the rules as users see them.
 */
export function readIni(text: string, file: string, report: Report): readonly Section[] {
  const scan = new Scan(file, report)
  let line = 0
  for (const one of lines(text)) {
    line += 1
    if (scan.hopeless) break
    scan.line(one, line)
  }
  return scan.sections
}

/** LF, CR LF or CR, one at a time: a file of 16 MB need not be an array of a million lines. */
function* lines(text: string): Generator<string> {
  const end = /\r\n|\n|\r/g
  let from = 0
  for (let found = end.exec(text); found !== null; found = end.exec(text)) {
    yield text.slice(from, found.index)
    from = end.lastIndex
  }
  yield text.slice(from)
}

class Scan {
  readonly sections: Open[] = []
  readonly #file: string
  readonly #report: Report
  readonly #named: ReadonlySet<string>
  #bad = 0
  /**
   * Undefined before the first header; 'unreadable' after a broken one, whose keys belong to no
   * section.
   */
  #section: Open | 'unreadable' | undefined
  #last: Last | undefined

  constructor(file: string, report: Report) {
    this.#file = file
    this.#report = report
    this.#named = report.kinds?.names ?? new Set()
  }

  get hopeless(): boolean {
    return this.#bad > MAX_BAD_LINES || this.sections.length > MAX_SECTIONS
  }

  line(raw: string, line: number): void {
    const text = raw.trim()
    if (text === '' || isRemark(text)) return
    const indent = raw.length - raw.trimStart().length
    if (this.#continues(indent)) {
      if (!isIndentedHeader(text, this.#named)) return this.#continue(raw)
      const place = { file: this.#file, line, key: text, value: '' }
      const message = 'is indented, so supervisord reads it as more of the value above'
      this.#report.problem(place, message, 'remove the blanks before it')
    }
    if (text.startsWith('[')) this.#header(text, line)
    else this.#pair(raw, text, indent, line)
  }

  /** Python's rule, hence Supervisor's: deeper than the key above. */
  #continues(indent: number): boolean {
    const section = this.#section
    if (typeof section !== 'object' || this.#last === undefined) return false
    return isPythons(section.kind) && indent > this.#last.indent
  }

  #continue(raw: string): void {
    const section = this.#section
    if (typeof section !== 'object' || this.#last === undefined) return
    const before = section.entries.get(this.#last.name)
    const more = raw.slice(0, valueEnd(raw)).trim()
    if (before === undefined || more === '') return
    const value = before.value === '' ? more : `${before.value}\n${more}`
    section.entries.set(before.name, { ...before, value })
  }

  #header(text: string, line: number): void {
    this.#last = undefined
    const end = text.indexOf(']')
    const rest = text.slice(end + 1).trim()
    const name = text.slice(1, Math.max(1, end)).trim()
    const place = { file: this.#file, line, key: text.slice(0, end < 0 ? 100 : end + 1), value: '' }
    if (end < 0) this.#unreadable(place, 'has no closing ]', 'write a header as [name]')
    else if (name === '') this.#unreadable(place, 'has no name', 'write a header as [name]')
    else if (rest !== '' && !isRemark(rest))
      this.#unreadable(place, 'has text after the ]', 'put keys on lines of their own')
    else this.#section = this.#open(readHeader(name, this.#named), line)
  }

  #unreadable(place: Place, message: string, hint: string): void {
    this.#section = 'unreadable'
    this.#badLine(place, message, hint)
  }

  #open(header: Header, line: number): Open {
    const place = { file: this.#file, line, key: headerOf(header), value: '' }
    const section: Open = { ...header, place, entries: new Map() }
    this.sections.push(section)
    if (this.hopeless)
      this.#report.problem(place, `is one of more than ${MAX_SECTIONS} sections`, 'use fewer')
    return section
  }

  #pair(raw: string, text: string, indent: number, line: number): void {
    const python = typeof this.#section === 'object' && isPythons(this.#section.kind)
    const end = python ? raw.search(/[=:]/) : raw.indexOf('=')
    const key = raw.slice(0, Math.max(0, end)).trim()
    if (key === '') {
      const value = this.#isBelowSecret(line) ? 'more of a secret' : text
      const place = { file: this.#file, line, key: '', value }
      const what =
        end < 0
          ? 'is neither [section] nor key = value'
          : `has no key before the ${raw.charAt(end)}`
      this.#badLine(place, what, 'write key = value, or begin a remark with ;')
      return
    }
    if (this.#section === 'unreadable') return
    this.#section ??= this.#open({ kind: 'job', name: DEFAULT_JOB }, line)
    const rest = raw.slice(end + 1)
    const plain = rest.slice(0, valueEnd(rest)).trim()
    const name = python ? key.toLowerCase() : key
    const value = python ? plain : decodeValue(plain)
    const entry: Entry = { name, file: this.#file, line, key, value }
    this.#last = { name, indent }
    if (python && name === 'command') this.#noteRemark(entry, rest)
    this.#enter(this.#section, entry)
  }

  /**
   * Whether a faulty line follows a secret. It is probably part of it, so the message must not
   * quote it.
   */
  #isBelowSecret(line: number): boolean {
    if (typeof this.#section !== 'object' || this.#last === undefined) return false
    const above = this.#section.entries.get(this.#last.name)
    return above !== undefined && above.line === line - 1 && isSecretKey(above.name)
  }

  /** Supervisor lets the last one count; elsewhere a repeated key is a mistake. */
  #enter(section: Open, entry: Entry): void {
    const first = section.entries.get(entry.name)
    const lastCounts = isPythons(section.kind) && section.kind !== 'include'
    if (first === undefined || lastCounts) section.entries.set(entry.name, entry)
    if (first === undefined) return
    const again = `is already set in ${headerOf(section)} on line ${first.line}`
    const hint = `keep line ${first.line} or line ${entry.line}`
    if (lastCounts) this.#report.note(entry, `${again}; the last one counts`, hint)
    else this.#badLine(entry, again, hint)
  }

  #noteRemark(entry: Entry, rest: string): void {
    if (!rest.slice(valueEnd(rest)).trim().startsWith('//')) return
    const message = 'ends before the //, which begins a remark here but not in supervisord'
    this.#report.note(entry, message, 'put the // in quotes to hand it on')
  }

  #badLine(place: Place, message: string, hint: string): void {
    this.#bad += 1
    if (!this.hopeless) this.#report.problem(place, message, hint)
    else {
      const where = { file: this.#file, line: place.line, key: '', value: '' }
      const many = `more than ${MAX_BAD_LINES} lines cannot be read; the rest was left out`
      this.#report.problem(where, many, 'is this an INI file?')
    }
  }
}

/** Whether a line is the header of a known kind of section, and so cannot be part of a command. */
function isIndentedHeader(text: string, named: ReadonlySet<string>): boolean {
  const [, name] = /^\[([^[\]]+)\]$/.exec(text) ?? []
  return name !== undefined && readHeader(name.trim(), named).kind !== 'job'
}

function isRemark(text: string): boolean {
  return text.startsWith(';') || text.startsWith('#') || text.startsWith('//')
}
