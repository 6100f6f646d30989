import { CronExpressionParser } from 'cron-parser'
import { FIELDS, type Field, itemProblem } from './cron-fields.ts'

/** What one field of an expression matches. */
export interface FieldSet {
  readonly values: readonly number[]
  /** It starts with `*`, which is what Vixie's rules ask. */
  readonly star: boolean
  readonly last: boolean
  readonly lastWeekdays: number
  readonly nthWeekdays: readonly number[]
}

/** Field texts repeat a lot between jobs (`*`, `0`, `*\/5`): each is parsed once. */
const known = new Map<string, FieldSet>()
const KNOWN_LIMIT = 10_000

export function fieldSet(field: Field, text: string): FieldSet | { readonly problem: string } {
  const key = `${field.name} ${text}`
  const found = known.get(key)
  if (found) return found
  const items = text.split(',')
  for (const item of items) {
    const problem = itemProblem(field, item)
    if (problem !== undefined) return { problem }
  }
  const set = readItems(field, items)
  if (known.size >= KNOWN_LIMIT) known.clear()
  known.set(key, set)
  return set
}

/** One item at a time: cron-parser refuses lists that overlap (`*\/5,10`), Vixie takes them. */
function readItems(field: Field, items: readonly string[]): FieldSet {
  const values = new Set<number>()
  let last = false
  let lastWeekdays = 0
  const nth = [0, 0, 0, 0, 0, 0]
  for (const item of items) {
    const read = readItem(field, item.toUpperCase())
    for (const value of read.values) {
      if (value === 'L') last = true
      else if (typeof value === 'string') lastWeekdays |= 1 << (Number.parseInt(value, 10) % 7)
      else if (read.nth > 0) nth[read.nth] = (nth[read.nth] ?? 0) | (1 << (value % 7))
      else values.add(field.name === 'weekday' ? value % 7 : value)
    }
  }
  return {
    values: [...values].toSorted((a, b) => a - b),
    star: /^[*?]/.test(items[0] ?? ''),
    last,
    lastWeekdays,
    nthWeekdays: nth.some(bits => bits !== 0) ? nth : NO_NTH,
  }
}

const EPOCH = new Date(0)

const NO_NTH: readonly number[] = []

/** What cron-parser calls the fields. */
const PARSED = {
  second: 'second',
  minute: 'minute',
  hour: 'hour',
  day: 'dayOfMonth',
  month: 'month',
  weekday: 'dayOfWeek',
} as const

function readItem(
  field: Field,
  item: string,
): { readonly values: readonly (number | string)[]; readonly nth: number } {
  const expression = FIELDS.map(one => (one === field ? item : '*')).join(' ')
  // Without a date it looks up the machine's own zone, which takes longer than all the rest.
  const { fields } = CronExpressionParser.parse(expression, { tz: 'UTC', currentDate: EPOCH })
  const nth = field.name === 'weekday' ? fields.dayOfWeek.nthDay : 0
  return { values: fields[PARSED[field.name]].values, nth }
}
