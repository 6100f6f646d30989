import { plain } from './extra.ts'
import { insertedId } from './inserted-id.ts'
import { setStatus } from './run-status.ts'
import type { RunIdentity } from './run-types.ts'
import type { Db, SqlKind } from './tables.ts'
import { lockTasks } from './task-sql.ts'

export interface Begin {
  readonly taskId: number
  readonly identity: RunIdentity
  /** `leave`: the status of the task cannot be set, so it stays. */
  readonly status: 'settle' | 'leave'
  /** For the column `trace_id`, where the table has it. */
  readonly traceId?: string | undefined
}

/** A task that was deleted meanwhile still gets its run, and the run its row. */
export async function beginRun(
  transaction: Db,
  kind: SqlKind,
  { taskId, identity, status, traceId }: Begin,
): Promise<number> {
  const [task] = await lockTasks(transaction, kind, [taskId])
  const extra = plain(JSON.stringify(identity))
  const same = await sameRun(transaction, taskId, identity)
  const id = same?.id ?? (await inserted(transaction, kind, { taskId, extra, traceId }))
  // A worker that got no answer may have begun it and given the run to another.
  if (same !== undefined && same.extra !== extra)
    await transaction.updateTable('execute_task').set({ extra }).where('id', '=', id).execute()
  if (status === 'settle' && task !== undefined && task.status !== 'doing')
    await setStatus(transaction, [taskId], 'doing')
  return id
}

function inserted(
  db: Db,
  kind: SqlKind,
  { taskId, extra, traceId }: { taskId: number; extra: string; traceId: string | undefined },
): Promise<number> {
  const trace = traceId === undefined ? {} : { trace_id: traceId }
  const values = { task_id: taskId, status: 'doing', extra, ...trace }
  return insertedId(kind, db.insertInto('execute_task').values(values))
}

async function sameRun(
  transaction: Db,
  taskId: number,
  { unique_task_id: task, attempt }: RunIdentity,
): Promise<{ readonly id: number; readonly extra: string } | undefined> {
  const rows = await transaction
    .selectFrom('execute_task')
    .select(['id', 'extra'])
    .where('status', '=', 'doing')
    .where('task_id', '=', taskId)
    .execute()
  return rows.find(row => {
    const identity = identityOf(row.extra)
    return identity.unique_task_id === task && identity.attempt === attempt
  })
}

function identityOf(extra: string): Partial<RunIdentity> {
  try {
    const value: unknown = JSON.parse(extra)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
