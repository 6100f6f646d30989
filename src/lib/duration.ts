const DAY = 86_400_000
/** A century: anything longer is a typing error. The limit also keeps sums of durations exact. */
const MAX_MS = 36_500 * DAY

/** From large to small, the order in which they must be written. */
const UNITS: readonly (readonly [string, number])[] = [
  ['d', DAY],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]

export type DurationResult =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly reason: string }

/**
 * A duration in ms: `90` and `90s` (a bare number is seconds), `1h30m`, `250ms`, `1.5h`, `1d`.
 * Strict, because a daemon that guesses what `90` or `1h 30` meant waits for the wrong time.
 */
export function parseDuration(text: string): DurationResult {
  if (text === '') return no('is empty')
  if (/^-\s*\d/.test(text)) return no('is negative')
  if (/\d\s+\d|[a-z]\s/.test(text)) return no('has a blank in it')
  const parts = text.length > 64 ? [] : [...text.matchAll(/(\d+(?:\.\d+)?)([^\d.]*)/g)]
  if (parts.map(part => part[0]).join('') !== text || parts.length === 0)
    return no('is not a duration')
  let total = 0
  let from = 0
  for (const [, digits = '', unit = ''] of parts) {
    if (unit === '' && parts.length > 1) return no(`has no unit after ${digits}`)
    const index = UNITS.findIndex(([name]) => name === (unit === '' ? 's' : unit))
    const found = UNITS[index]
    if (found === undefined)
      return no(`has the unknown unit ${JSON.stringify(unit)} (known: d, h, m, s, ms)`)
    if (index < from) return no('has its units twice or not from large to small')
    from = index + 1
    total += Number(digits) * found[1]
  }
  if (total > MAX_MS) return no('is longer than 100 years')
  const ms = Math.round(total)
  if (Math.abs(ms - total) > 1e-6) return no('is finer than a millisecond')
  return { ok: true, value: ms }
}

function no(reason: string): DurationResult {
  return { ok: false, reason }
}

/** The shortest text that parseDuration reads back as the same number: `1h30m`, `250ms`, `0s`. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms)
  let text = ''
  for (const [name, size] of UNITS) {
    const count = Math.floor(rest / size)
    if (count <= 0) continue
    text += `${count}${name}`
    rest -= count * size
  }
  return text === '' ? '0s' : text
}
