import { didYouMean } from '../../lib/suggest.ts'
import type { ChannelSpec, ColumnSpec, Row, Stored, StoredRow } from '../../model/channel.ts'
import { readValue } from './column-value.ts'

export type CheckedRows =
  | { readonly ok: true; readonly rows: readonly StoredRow[] }
  | {
      readonly ok: false
      /** `rows[2].phone: is missing`; the first ones. */
      readonly problems: readonly string[]
      /** How many more there are. */
      readonly more: number
    }

/** Nobody reads more, and a thousand wrong rows are mostly wrong in the same way. */
const MAX_PROBLEMS = 20
const MAX_NAME = 60

/** Rows by the columns of a channel; or everything that is wrong with them, by row and field. */
export function checkRows(
  spec: Pick<ChannelSpec, 'columns'>,
  rows: readonly unknown[],
): CheckedRows {
  const checker = rowChecker(spec)
  for (const row of rows) checker.add(row)
  return checker.result()
}

/** The same for rows that are checked one after another. */
export function rowChecker(spec: Pick<ChannelSpec, 'columns'>): {
  add(row: unknown): void
  result(): CheckedRows
} {
  const byField = new Map(spec.columns.map(column => [column.field, column]))
  const problems: string[] = []
  let count = 0
  const stored: StoredRow[] = []
  let index = 0
  const problem = (field: string, what: () => string) => {
    count += 1
    if (problems.length < MAX_PROBLEMS) problems.push(`rows[${index}]${field}: ${what()}`)
  }
  return {
    add(row) {
      if (isRow(row)) stored.push(storedRow(row, byField, problem))
      else problem('', () => 'is no object')
      index += 1
    },
    result() {
      if (count > 0) return { ok: false, problems, more: count - problems.length }
      return { ok: true, rows: stored }
    },
  }
}

export function isRow(row: unknown): row is Row {
  return typeof row === 'object' && row !== null && !Array.isArray(row)
}

function storedRow(
  row: Row,
  byField: ReadonlyMap<string, ColumnSpec>,
  problem: (field: string, what: () => string) => void,
): StoredRow {
  const found: [string, Stored][] = []
  for (const [field, value] of Object.entries(row)) {
    const column = byField.get(field)
    if (column === undefined) {
      problem(`.${printable(field)}`, () => unknownField(field, [...byField.keys()]))
      continue
    }
    if (value === null && column.required) {
      problem(`.${field}`, () => 'must not be null')
      continue
    }
    const read = readValue(column, value)
    if (read.ok) found.push([column.column, read.value])
    else problem(`.${field}`, () => read.reason)
  }
  for (const { field, required } of byField.values())
    if (required && !Object.hasOwn(row, field)) problem(`.${field}`, () => 'is missing')
  return Object.fromEntries(found)
}

function unknownField(field: string, known: readonly string[]): string {
  const hint = didYouMean(field, known)
  return hint === '' ? 'is no field of this channel' : `is unknown, ${hint}`
}

function printable(field: string): string {
  const short = field.length > MAX_NAME ? `${field.slice(0, MAX_NAME)}…` : field
  return short.toWellFormed().replace(/\p{Cc}/gu, one => JSON.stringify(one).slice(1, -1))
}
