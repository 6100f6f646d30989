import type { Clock } from '../lib/clock.ts'
import { again } from './again.ts'
import { answerExtra } from './extra.ts'
import { isDuplicate } from './failure.ts'
import type { RunEnd } from './run-types.ts'
import type { Db, SqlKind } from './tables.ts'
import { noteProblem } from './task-problem.ts'
import { inTransaction, lockTasks } from './task-sql.ts'

/** Ends rows of execute_task, and makes those of `taskIds` ready of which none is doing any more. */
export function endRuns(
  db: Db,
  kind: SqlKind,
  ends: readonly RunEnd[],
  taskIds: readonly number[],
  status: 'settle' | 'leave',
): Promise<void> {
  return inTransaction(db, kind, async transaction => {
    const tasks = await lockTasks(transaction, kind, taskIds)
    for (const { id, status: ended, extra } of ends)
      await transaction
        .updateTable('execute_task')
        .set({ status: ended, extra: answerExtra(extra) })
        .where('id', '=', id)
        .where('status', '=', 'doing')
        .execute()
    const doing = tasks.filter(task => task.status === 'doing').map(task => task.id)
    if (status === 'settle' && doing.length > 0) await settle(transaction, doing)
  })
}

async function settle(transaction: Db, taskIds: readonly number[]): Promise<void> {
  const busy = await transaction
    .selectFrom('execute_task')
    .select('task_id')
    .distinct()
    .where('status', '=', 'doing')
    .where('task_id', 'in', taskIds)
    .execute()
  const running = new Set(busy.map(row => row.task_id))
  const free = taskIds.filter(id => !running.has(id))
  if (free.length > 0) await setStatus(transaction, free, 'ready')
}

export async function setStatus(
  transaction: Db,
  ids: readonly number[],
  status: 'ready' | 'doing',
): Promise<void> {
  await transaction.updateTable('task').set({ status }).where('id', 'in', ids).execute()
}

/**
 * Two rows of one key cannot have the same status. A run goes on all the same: its row is written,
 * the status stays as it is, and the `extra` of the later rows says why.
 */
export async function despiteDoubles<T>(
  deps: { readonly db: Db; readonly kind: SqlKind; readonly clock: Pick<Clock, 'sleep'> },
  taskId: number,
  work: (status: 'settle' | 'leave') => Promise<T>,
): Promise<T> {
  const { db, kind, clock } = deps
  try {
    return await again(clock, () => work('settle'))
  } catch (error) {
    if (!isDuplicate(error)) throw error
  }
  const result = await again(clock, () => work('leave'))
  // A failure to write this hint must not fail the work.
  await again(clock, () => noteDouble(db, kind, taskId)).catch(() => undefined)
  return result
}

async function noteDouble(db: Db, kind: SqlKind, taskId: number): Promise<void> {
  const key = db.selectFrom('task').select('task_key').where('id', '=', taskId)
  const rows = await db
    .selectFrom('task')
    .select(['id', 'task_key'])
    .where('task_key', '=', key)
    .orderBy('id')
    .execute()
  const [first, ...later] = rows
  for (const { id, task_key: name } of later)
    await noteProblem(
      db,
      kind,
      id,
      `task_key ${name} is that of row ${first?.id} as well: give this one another, or delete it`,
    )
}
