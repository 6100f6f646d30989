import { createHash } from 'node:crypto'
import type { FailRow } from '../model/fail-row.ts'
import { TEXTS, WIDTHS } from '../store/tables.ts'

/** What is left of a text that is too long for every database, in characters. */
const LONG_TEXT = 65_536

/** The same row, with every value cut to what each database can hold. */
export function fitted(row: FailRow): FailRow {
  const texts = Object.fromEntries(TEXTS.map(key => [key, shorter(key, textOf(row[key]))]))
  return {
    ...(texts as Pick<FailRow, (typeof TEXTS)[number]>),
    attempt: asInteger(row.attempt) ?? 0,
    exit_code: asInteger(row.exit_code),
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

function shorter(key: (typeof TEXTS)[number], value: string): string {
  const width = key in WIDTHS ? WIDTHS[key as keyof typeof WIDTHS] : LONG_TEXT
  return key === 'unique_task_id' ? shortId(value, width) : head(value, width)
}

/** Characters as databases count them: code points. */
function head(value: string, width: number): string {
  if (value.length <= width) return value
  return Array.from(value.slice(0, width * 2))
    .slice(0, width)
    .join('')
}

/** Two long ids with the same beginning must not become one, or the second would be lost. */
function shortId(id: string, width: number): string {
  if (head(id, width) === id) return id
  const digest = createHash('sha256').update(id).digest('hex').slice(0, 32)
  return `${head(id, width - digest.length - 1)}-${digest}`
}

function asInteger(value: number | null): number | null {
  if (value === null || !Number.isFinite(value)) return null
  return Math.max(-2_147_483_648, Math.min(2_147_483_647, Math.trunc(value)))
}
