import type { Parsed } from './parsed.ts'

/** Binary, as supervisord counts them: 1KB is 1024 bytes. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ['GB', 1024 ** 3],
  ['MB', 1024 ** 2],
  ['KB', 1024],
  ['', 1],
])

/** A size in bytes: `1048576`, `64KB`, `50MB`, `1GB`; upper or lower case. */
export function parseSize(text: string): Parsed<number> {
  if (/^-\s*\d/.test(text)) return no('is negative')
  const [, digits, suffix = ''] = /^(\d{1,16})\s?([A-Za-z]{0,16})$/.exec(text) ?? []
  if (digits === undefined) return no('is not a size')
  const unit = UNITS.get(suffix.toUpperCase())
  if (unit === undefined) return no(`has the unknown unit "${suffix}" (known: KB, MB, GB)`)
  const bytes = Number(digits) * unit
  return Number.isSafeInteger(bytes) ? { ok: true, value: bytes } : no('is too large')
}

function no(reason: string): Parsed<number> {
  return { ok: false, reason }
}
