import { type RawBuilder, sql } from 'kysely'
import { messageOf } from '../../lib/errors.ts'
import type { SourceSpec } from '../../model/source.ts'
import { failureOf } from '../../store/failure.ts'
import type { AnyDb } from '../../store/migrations/steps.ts'
import type { SqlKind } from '../../store/tables.ts'

/** The new state of a row, if its state is still one of `from`. */
export interface RowVerdict {
  readonly row: string
  readonly from: readonly string[]
  readonly to: string
  /** An answer as JSON. */
  readonly answer: string
}

type Target = Pick<SourceSpec, 'table' | 'idColumn' | 'statusColumn' | 'resultColumn'>

/** Characters of an answer, at first and where the column is too short for that. */
const LENGTHS = [16_000, 250]

/**
 * Writes verdicts, all in one transaction; when the table refuses one, each by itself, so that it
 * spoils no other. A refused answer is shortened and at last left out: the status is what matters.
 * @returns the reasons of those that are refused even so, by their place
 */
export async function writeVerdicts(
  db: AnyDb,
  kind: SqlKind,
  target: Target,
  verdicts: readonly RowVerdict[],
): Promise<ReadonlyMap<number, string>> {
  const refused = new Map<number, string>()
  try {
    await writeAll(db, kind, target, verdicts)
    return refused
  } catch (error) {
    if (failureOf(error) !== 'refused') throw error
  }
  for (const [place, verdict] of verdicts.entries()) {
    const reason = await writeOne(db, target, verdict)
    if (reason !== undefined) refused.set(place, reason)
  }
  return refused
}

async function writeAll(
  db: AnyDb,
  kind: SqlKind,
  target: Target,
  verdicts: readonly RowVerdict[],
): Promise<void> {
  const plain = db.transaction()
  // As for a claim: no locks on gaps, which the application would feel.
  const transaction = kind === 'sqlite' ? plain : plain.setIsolationLevel('read committed')
  let first: unknown
  try {
    await transaction.execute(async on => {
      try {
        for (const same of alike(verdicts)) await write(on, target, same, LENGTHS[0])
      } catch (error) {
        // On a broken connection the rollback fails as well, and would be all that is told.
        first = error
        throw error
      }
    })
  } catch (error) {
    throw first ?? error
  }
}

async function writeOne(
  db: AnyDb,
  target: Target,
  verdict: RowVerdict,
): Promise<string | undefined> {
  let reason = ''
  for (const length of [...LENGTHS, undefined])
    try {
      await write(db, target, [verdict], length)
      return undefined
    } catch (error) {
      if (failureOf(error) !== 'refused') throw error
      reason = messageOf(error)
    }
  return reason
}

/** The most rows in one statement: with more, telling them apart takes long. */
const CHUNK = 100

/** Rows that take the same step, in parts; always in the same order, against deadlocks. */
function alike(verdicts: readonly RowVerdict[]): RowVerdict[][] {
  const parts: RowVerdict[][] = []
  const open = new Map<string, RowVerdict[]>()
  for (const one of verdicts.toSorted((a, b) => (a.row < b.row ? -1 : 1))) {
    const key = JSON.stringify([one.to, one.from])
    const part = open.get(key)
    if (part !== undefined && part.length < CHUNK) part.push(one)
    else {
      const fresh = [one]
      parts.push(fresh)
      open.set(key, fresh)
    }
  }
  return parts
}

/** @param length of the answers; undefined: without them */
async function write(
  db: AnyDb,
  target: Target,
  verdicts: readonly RowVerdict[],
  length: number | undefined,
): Promise<void> {
  const [first] = verdicts
  if (first === undefined) return
  const { table, idColumn, statusColumn, resultColumn } = target
  // Qualified: SQLite takes "x" for a text when there is no column x.
  const id = sql.ref(`t.${idColumn}`)
  const result =
    resultColumn === undefined || length === undefined
      ? {}
      : { [resultColumn]: answersOf(id, verdicts, length) }
  const rows = verdicts.map(one => one.row)
  await db
    .updateTable(`${table} as t`)
    .set({ [statusColumn]: first.to, ...result })
    .where(id, 'in', rows)
    .where(sql.ref(`t.${statusColumn}`), 'in', first.from)
    .execute()
}

/** The answer that all have in common; or which row has which. */
function answersOf(
  id: RawBuilder<unknown>,
  verdicts: readonly RowVerdict[],
  length: number,
): string | RawBuilder<unknown> {
  const [first, ...others] = verdicts.map(one => ({
    row: one.row,
    answer: shortened(one.answer, length),
  }))
  if (first === undefined) return ''
  if (others.every(one => one.answer === first.answer)) return first.answer
  // `id = …` for each, and not `case id when`: MySQL would compare large numbers as doubles there.
  const whens = [first, ...others].map(one => sql`when ${id} = ${one.row} then ${one.answer}`)
  return sql`case ${sql.join(whens, sql` `)} end`
}

/** Still JSON, and when it is short also plain ASCII, which every column takes. */
function shortened(answer: string, length: number): string {
  const isLast = length === LENGTHS.at(-1)
  if (answer.length <= length && !isLast) return answer
  const { code, msg } = JSON.parse(answer) as { readonly code: string; readonly msg: string }
  const cut = (n: number) => {
    const text = JSON.stringify({ code: code.slice(0, 50), msg: msg.slice(0, n), data: [] })
    return isLast ? ascii(text) : text
  }
  let n = length
  while (n > 0 && cut(n).length > length) n = Math.floor(n * 0.8)
  return cut(n)
}

function ascii(text: string): string {
  return text
    .replaceAll(/\\u00[01][0-9a-f]/g, ' ')
    .replaceAll(/[^ -~]/g, one => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
