/** Binary, as supervisord counts them: 1KB is 1024 bytes. */
const UNITS: readonly (readonly [string, number])[] = [
  ['GB', 1024 ** 3],
  ['MB', 1024 ** 2],
  ['KB', 1024],
  ['B', 1],
]

export type SizeResult =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly reason: string }

/** A size in bytes: `1048576`, `64KB`, `50MB`, `1GB`; upper or lower case. */
export function parseSize(text: string): SizeResult {
  if (text === '') return no('is empty')
  if (/^-\s*\d/.test(text)) return no('is negative')
  const [, digits, suffix = ''] = /^(\d{1,16})\s?([A-Za-z]{0,16})$/.exec(text) ?? []
  if (digits === undefined) return no('is not a size')
  const unit = UNITS.find(([name]) => name === (suffix === '' ? 'B' : suffix.toUpperCase()))
  if (unit === undefined)
    return no(`has the unknown unit ${JSON.stringify(suffix)} (known: KB, MB, GB)`)
  const bytes = Number(digits) * unit[1]
  if (!Number.isSafeInteger(bytes)) return no('is too large')
  return { ok: true, value: bytes }
}

function no(reason: string): SizeResult {
  return { ok: false, reason }
}

/** The shortest exact text that parseSize reads back as the same number: `50MB`, `1000`. */
export function formatSize(bytes: number): string {
  for (const [name, size] of UNITS) {
    if (name !== 'B' && bytes >= size && bytes % size === 0) return `${bytes / size}${name}`
  }
  return String(bytes)
}
