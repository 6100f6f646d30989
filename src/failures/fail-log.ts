import { type Insertable, type Selectable, sql } from 'kysely'
import { type Clock, isoWithOffset } from '../lib/clock.ts'
import type { FailRow } from '../model/fail-row.ts'
import { RefusedError } from '../store/failure.ts'
import { type Db, type FailLogTable, type SqlKind, TEXTS } from '../store/tables.ts'

/** A row as it is stored. */
export interface StoredFailRow extends FailRow {
  readonly id: number
  /** When it was archived, ISO 8601 with offset. */
  readonly created_at: string
}

export interface NewestQuery {
  readonly limit: number
  readonly job?: string
  readonly taskKey?: string
  /** Only rows older than this one: the `id` of the last row of the page before. */
  readonly beforeId?: number
}

/** The failed runs, for good. */
export interface FailLog {
  /**
   * Stores rows; a run that is already there is left as it is. Rows go in
   * groups, each of them whole or not at all, so after an error the same rows are sent again.
   * A row that does not fit is an error, never cut.
   */
  append(rows: readonly FailRow[]): Promise<void>
  /** The last archived first. */
  newest(query: NewestQuery): Promise<StoredFailRow[]>
  /** All attempts of a task, the first one first. */
  byTaskId(uniqueTaskId: string): Promise<StoredFailRow[]>
  count(): Promise<number>
  /** Removes the rows archived longer ago than this. @returns how many */
  prune(olderThanMs: number): Promise<number>
}

/** A statement's size is bounded too: a small MySQL takes no packet over 4 MiB. */
const GROUP_ROWS = 100
const GROUP_CHARACTERS = 1 << 20
const PRUNE_ROWS = 1000

export function failLogOn(db: Db, kind: SqlKind, clock: Clock): FailLog {
  return {
    async append(rows) {
      for (const group of groups(rows.map(columns))) {
        const created_at = instant(kind, clock.now())
        const fresh = await withFreeAttempts(db, group)
        if (fresh.length === 0) continue
        await insert(
          db,
          kind,
          fresh.map(row => ({ ...row, created_at })),
        )
      }
    },
    async newest({ limit, job, taskKey, beforeId }) {
      let query = db.selectFrom('fail_log').selectAll().orderBy('id', 'desc').limit(limit)
      if (job !== undefined) query = query.where('job', '=', job)
      if (taskKey !== undefined) query = query.where('task_key', '=', taskKey)
      if (beforeId !== undefined) query = query.where('id', '<', beforeId)
      return (await query.execute()).map(fromTable)
    },
    async byTaskId(uniqueTaskId) {
      const rows = await db
        .selectFrom('fail_log')
        .selectAll()
        .where('unique_task_id', '=', uniqueTaskId)
        .orderBy('attempt')
        .execute()
      return rows.map(fromTable)
    },
    async count() {
      const count = sql<number | string>`count(*)`.as('count')
      const row = await db.selectFrom('fail_log').select(count).executeTakeFirstOrThrow()
      return Number(row.count)
    },
    async prune(olderThanMs) {
      const before = instant(kind, clock.now() - olderThanMs)
      for (let removed = 0; ; ) {
        const ids = await db
          .selectFrom('fail_log')
          .select('id')
          .where('created_at', '<', before)
          .orderBy('created_at')
          .limit(PRUNE_ROWS)
          .execute()
        if (ids.length === 0) return removed
        const list = ids.map(row => row.id)
        await db.deleteFrom('fail_log').where('id', 'in', list).execute()
        removed += list.length
      }
    },
  }
}

/**
 * The rows that are not stored yet. A task id that was used again after its first life was
 * forgotten begins at attempt 1 once more: such a row is another run, not a second copy, and gets
 * the next attempt that is free.
 */
async function withFreeAttempts(db: Db, rows: readonly FailRow[]): Promise<FailRow[]> {
  const stored = await db
    .selectFrom('fail_log')
    .select(['unique_task_id', 'attempt', 'start_runtime', 'worker_id'])
    .where('unique_task_id', 'in', [...new Set(rows.map(row => row.unique_task_id))])
    .execute()
  const runs = new Set(stored.map(runOf))
  const attempts = new Map<string, Set<number>>()
  for (const { unique_task_id: id, attempt } of stored) taken(attempts, id).add(attempt)
  const fresh: FailRow[] = []
  for (const row of rows) {
    if (runs.has(runOf(row))) continue
    runs.add(runOf(row))
    const used = taken(attempts, row.unique_task_id)
    const attempt = used.has(row.attempt) ? Math.max(...used) + 1 : row.attempt
    used.add(attempt)
    fresh.push({ ...row, attempt })
  }
  return fresh
}

function runOf(row: Pick<FailRow, 'unique_task_id' | 'start_runtime' | 'worker_id'>): string {
  return JSON.stringify([row.unique_task_id, row.start_runtime, row.worker_id])
}

function taken(attempts: Map<string, Set<number>>, id: string): Set<number> {
  const known = attempts.get(id) ?? new Set()
  attempts.set(id, known)
  return known
}

async function insert(db: Db, kind: SqlKind, values: Insertable<FailLogTable>[]): Promise<void> {
  const query = db.insertInto('fail_log').values(values)
  if (kind === 'mysql')
    // Not INSERT IGNORE: that also turns "too long" into a silent cut.
    await query.onDuplicateKeyUpdate({ id: sql`fail_log.id` }).execute()
  else
    await query
      .onConflict(conflict => conflict.columns(['unique_task_id', 'attempt']).doNothing())
      .execute()
}

function* groups(rows: readonly FailRow[]): Generator<FailRow[]> {
  let group: FailRow[] = []
  let size = 0
  for (const row of rows) {
    const characters = row.param.length + row.output.length + row.msg.length + row.script.length
    if (group.length === GROUP_ROWS || (size + characters > GROUP_CHARACTERS && group.length > 0)) {
      yield group
      group = []
      size = 0
    }
    group.push(row)
    size += characters
  }
  if (group.length > 0) yield group
}

/**
 * Only the columns of the table, each of its type: the hash that a row was read from may have
 * other fields, or lack one, whatever the types here say.
 */
function columns(row: FailRow): FailRow {
  const texts = Object.fromEntries(TEXTS.map(key => [key, text(key, row[key])]))
  const { attempt, exit_code } = row
  if (!isInt32(attempt)) throw new RefusedError(`attempt is no whole number: ${attempt}`)
  if (exit_code !== null && !isInt32(exit_code))
    throw new RefusedError(`exit_code is no whole number: ${exit_code}`)
  return { ...(texts as Pick<FailRow, (typeof TEXTS)[number]>), attempt, exit_code }
}

/** PostgreSQL holds no U+0000, so it becomes its picture U+2400; half a surrogate pair becomes U+FFFD. */
function text(key: string, value: unknown): string {
  if (typeof value !== 'string') throw new RefusedError(`${key} is no text: ${typeof value}`)
  return value.replaceAll('\0', '\u2400').toWellFormed()
}

function isInt32(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) <= 2_147_483_647
}

/** SQLite has no type for it: UTC in the form of its own `datetime()`, so the two compare. */
function instant(kind: SqlKind, ms: number): Date | string {
  const date = new Date(ms)
  return kind === 'sqlite' ? date.toISOString().slice(0, -1).replace('T', ' ') : date
}

function fromTable(row: Selectable<FailLogTable>): StoredFailRow {
  const { id, created_at: at, ...rest } = row
  const ms = at instanceof Date ? at.getTime() : Date.parse(`${at.replace(' ', 'T')}Z`)
  return { id: Number(id), ...rest, created_at: isoWithOffset(ms) }
}
