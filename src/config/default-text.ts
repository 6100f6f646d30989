import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { formatDuration } from '../lib/duration.ts'

/** The default of a key as a user would write it, or undefined where it has none. */
export function defaultText(field: unknown): string | undefined {
  if (!(field instanceof z.ZodDefault)) return undefined
  const value: unknown = field.def.defaultValue
  // 3600000 may be an hour, a size or a number: the key's own reader decides which text means the same.
  return writings(value).find(text => {
    const read = field.safeParse(text)
    return read.success && isDeepStrictEqual(read.data, value)
  })
}

function writings(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value === 'boolean') return [String(value)]
  if (typeof value === 'number') return [...sizes(value), formatDuration(value), String(value)]
  if (Array.isArray(value)) return [', ', ',', ' '].map(between => value.join(between))
  return isRate(value) ? [`${value.max}/${formatDuration(value.durationMs)}`] : []
}

const UNITS = ['KB', 'MB', 'GB']

function sizes(bytes: number): string[] {
  const found: string[] = []
  for (let rest = bytes, at = 0; rest >= 1024 && rest % 1024 === 0 && at < UNITS.length; at += 1) {
    rest /= 1024
    found.unshift(`${rest}${UNITS[at]}`)
  }
  return found
}

function isRate(value: unknown): value is { readonly max: number; readonly durationMs: number } {
  return typeof value === 'object' && value !== null && 'max' in value && 'durationMs' in value
}
