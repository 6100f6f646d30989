import { fitsExtra, plain } from './extra.ts'
import type { Db, SqlKind } from './tables.ts'
import { inTransaction, lockTasks } from './task-sql.ts'

/** Writes nothing when `extra` says so already. */
export function noteProblem(
  db: Db,
  kind: SqlKind,
  id: number,
  problem: string | undefined,
): Promise<void> {
  return inTransaction(db, kind, async transaction => {
    const [row] = await lockTasks(transaction, kind, [id])
    if (row === undefined) return
    const extra = withProblem(row.extra, problem)
    // Better not to mention the problem than to lose what is there.
    if (extra === row.extra || !fitsExtra(extra)) return
    await transaction.updateTable('task').set({ extra }).where('id', '=', id).execute()
  })
}

/** `{"error": …}` beside whatever else the object holds; anything but an object goes to `text`. */
export function withProblem(extra: string, problem: string | undefined): string {
  const object = objectOf(extra)
  if (problem === undefined) {
    if (object === undefined || !('error' in object)) return extra
    const { error: _, ...rest } = object
    return JSON.stringify(rest)
  }
  const error = plain(problem)
  if (object?.['error'] === error) return extra
  const rest = object ?? (extra.trim() === '' ? {} : { text: extra })
  return JSON.stringify({ ...rest, error })
}

function objectOf(extra: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(extra)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
