import { type Clock, isoWithOffset } from '../lib/clock.ts'
import { Slots } from '../lib/slots.ts'
import { traceIdOf } from '../model/function-call.ts'
import { again } from './again.ts'
import { isDuplicate } from './failure.ts'
import { beginRun } from './run-begin.ts'
import {
  fittedTo,
  isAboutColumns,
  type RunColumns,
  readRunColumns,
  unfilled,
} from './run-columns.ts'
import { despiteDoubles, endRuns } from './run-status.ts'
import type { RunEnd, RunIdentity, RunRows } from './run-types.ts'
import type { Db, SqlKind } from './tables.ts'
import { age, ageOf, inTransaction } from './task-sql.ts'

export type {
  DoingRow,
  RunIdentity,
  RunRow,
  RunRows,
} from './run-types.ts'

/** Rows that are ended in one transaction. */
const GROUP = 100
/** As many as there are connections. More wait here, because in the pool's queue they would time out. */
const AT_ONCE = 2

export function runRowsOn(db: Db, kind: SqlKind, clock: Pick<Clock, 'sleep'>): RunRows {
  const deps = { db, kind, clock }
  const slots = new Slots(AT_ONCE)

  async function end(ends: readonly RunEnd[]): Promise<void> {
    // Not in the transaction: MySQL would then show it the rows as they are now, until its end.
    const rows = await again(clock, () => tasksOf(db, ends))
    const mine = ends.filter(one => rows.has(one.id)).toSorted((a, b) => a.id - b.id)
    await settled(mine, [...new Set(rows.values())], one => rows.get(one.id))
  }

  /** All at once, or, where a status cannot be set, one task after the other. */
  async function settled(
    ends: readonly RunEnd[],
    taskIds: readonly number[],
    taskOf: (end: RunEnd) => number | undefined,
  ): Promise<void> {
    const [first] = taskIds
    if (first === undefined) return
    if (taskIds.length === 1)
      return despiteDoubles(deps, first, how => endRuns(db, kind, ends, taskIds, how))
    try {
      await again(clock, () => endRuns(db, kind, ends, taskIds, 'settle'))
    } catch (error) {
      if (!isDuplicate(error)) throw error
      for (const id of taskIds) {
        const own = ends.filter(one => taskOf(one) === id)
        await despiteDoubles(deps, id, how => endRuns(db, kind, own, [id], how))
      }
    }
  }

  let known: RunColumns | undefined

  function beginIn(columns: RunColumns, taskId: number, identity: RunIdentity): Promise<number> {
    const id = traceIdOf(identity.unique_task_id, identity.attempt)
    const traceId = columns.traceId === undefined ? undefined : fittedTo(columns.traceId, id)
    return despiteDoubles(deps, taskId, status =>
      inTransaction(db, kind, transaction =>
        beginRun(transaction, kind, { taskId, identity, status, traceId }),
      ),
    )
  }

  /**
   * Columns may come and go while the daemon runs: a refused statement is tried again with the
   * present ones.
   */
  async function begin(taskId: number, identity: RunIdentity): Promise<number> {
    known ??= await readRunColumns(db, kind)
    try {
      return await beginIn(known, taskId, identity)
    } catch (error) {
      if (!isAboutColumns(error)) throw error
      const now = await readRunColumns(db, kind)
      const changed = now.traceId !== known.traceId
      known = now
      if (now.needed.length > 0) throw unfilled(now.needed)
      if (!changed) throw error
      return beginIn(now, taskId, identity)
    }
  }

  return {
    begin: (taskId, identity) => slots.run(() => begin(taskId, identity)),
    async end(ends) {
      for (let from = 0; from < ends.length; from += GROUP)
        await slots.run(() => end(ends.slice(from, from + GROUP)))
    },
    async mend() {
      const stuck = await again(clock, () => stuckTasks(db))
      for (let from = 0; from < stuck.length; from += GROUP)
        await settled([], stuck.slice(from, from + GROUP), () => undefined)
      return stuck.length
    },
    async doing() {
      const rows = await again(clock, () =>
        db
          .selectFrom('execute_task')
          .select(['id', 'task_id', 'extra', age(kind).as('age')])
          .where('status', '=', 'doing')
          .orderBy('id')
          .execute(),
      )
      return rows.map(({ age: since, ...row }) => ({ ...row, ageMs: ageOf(since) }))
    },
    async history({ taskId, limit }) {
      let query = db.selectFrom('execute_task').selectAll().orderBy('id', 'desc').limit(limit)
      if (taskId !== undefined) query = query.where('task_id', '=', taskId)
      const rows = await again(clock, () => query.execute())
      return rows.map(row => ({
        ...row,
        create_at: stampOf(row.create_at),
        update_at: stampOf(row.update_at),
      }))
    },
  }
}

/** The tasks of those rows that exist. */
async function tasksOf(db: Db, ends: readonly RunEnd[]): Promise<Map<number, number>> {
  const ids = ends.map(one => one.id)
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('execute_task')
    .select(['id', 'task_id'])
    .where('id', 'in', ids)
    .execute()
  return new Map(rows.map(row => [row.id, row.task_id]))
}

async function stuckTasks(db: Db): Promise<number[]> {
  const rows = await db
    .selectFrom('task')
    .select('task.id')
    .where('task.status', '=', 'doing')
    .where(where =>
      where.not(
        where.exists(
          where
            .selectFrom('execute_task')
            .select('execute_task.id')
            .whereRef('execute_task.task_id', '=', 'task.id')
            .where('execute_task.status', '=', 'doing'),
        ),
      ),
    )
    .orderBy('task.id')
    .execute()
  return rows.map(row => row.id)
}

/** SQLite has its own `datetime()`, which is UTC; a value that is not a time is shown as it is. */
function stampOf(stamp: Date | string): string {
  const ms = stamp instanceof Date ? stamp.getTime() : Date.parse(`${stamp.replace(' ', 'T')}Z`)
  return Number.isNaN(ms) ? String(stamp) : isoWithOffset(ms)
}
