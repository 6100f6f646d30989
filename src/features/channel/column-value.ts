import type { ColumnSpec, Stored } from '../../model/channel.ts'

type Value = { readonly ok: true; readonly value: Stored }
type Refusal = { readonly ok: false; readonly reason: string }

/**
 * A value of JSON as it is stored. What a database would cut, round or turn into something else is
 * refused: a value arrives exactly as it was sent, or not at all.
 */
export function readValue(column: ColumnSpec, value: unknown): Value | Refusal {
  if (value === null) return yes(null)
  switch (column.type) {
    case 'text':
      return typeof value === 'string' ? text(value, column.most) : no('is no text')
    case 'int':
      return integer(value)
    case 'number':
      return typeof value === 'number' ? yes(value) : no('is no number')
    case 'bool':
      return typeof value === 'boolean' ? yes(value) : no('is neither true nor false')
    case 'time':
      return time(value)
    case 'json':
      return text(JSON.stringify(value) ?? 'null', column.most)
    case 'any':
      return anything(value, column)
  }
}

function anything(value: unknown, { field, most }: ColumnSpec): Value | Refusal {
  if (typeof value === 'string') return text(value, most)
  if (typeof value === 'boolean') return yes(value)
  if (typeof value === 'number')
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? no(INEXACT) : yes(value)
  const kind = Array.isArray(value) ? 'a list' : 'an object'
  return no(`is ${kind}; write ${field}:json in columns to store it as JSON text`)
}

const INEXACT = 'is larger than a number of JSON is exact; send it as text'

/** Also as a text of digits, for integers too large for a JSON number. */
function integer(value: unknown): Value | Refusal {
  if (typeof value === 'string')
    return /^-?\d{1,20}$/.test(value) ? yes(value) : no('is no whole number')
  if (typeof value !== 'number' || !Number.isInteger(value)) return no('is no whole number')
  return Number.isSafeInteger(value) ? yes(value) : no(INEXACT)
}

const ISO =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)\s?(Z|[+-]\d{2}(?::?\d{2})?)$/i

/** An instant: ISO 8601 that says its offset. As UTC, which every database reads the same. */
function time(value: unknown): Value | Refusal {
  const [, day, clock = '', zone = ''] = typeof value === 'string' ? (ISO.exec(value) ?? []) : []
  if (day === undefined) return no('is no time such as 2026-11-21T10:00:00+08:00')
  const offset = zone.replace(/^([+-]\d{2}):?(\d{2})?$/, (_, h: string, m = '00') => `${h}:${m}`)
  const ms = Date.parse(`${day}T${clock}${offset.toUpperCase()}`)
  // Date.parse would make March 2 of February 30.
  const [year = 0, month = 0, date = 0] = day.split('-').map(Number)
  const real = new Date(Date.UTC(year, month - 1, date)).getUTCDate() === date
  if (Number.isNaN(ms) || !real) return no('is a time that does not exist')
  return yes(new Date(ms).toISOString().slice(0, -1).replace('T', ' '))
}

function text(value: string, most: number): Value | Refusal {
  if (value.includes('\0')) return no('has a NUL character, which no database stores')
  if (!value.isWellFormed()) return no('has half a character (a lone surrogate)')
  // Characters as databases count them: code points.
  if (value.length > most && longer(value, most)) return no(`is longer than ${most} characters`)
  return yes(value)
}

function longer(value: string, most: number): boolean {
  if (value.length > 2 * most) return true
  let count = 0
  for (const _ of value) count += 1
  return count > most
}

function yes(value: Stored): Value {
  return { ok: true, value }
}

function no(reason: string): Refusal {
  return { ok: false, reason }
}
