import { sql } from 'kysely'
import { Turns } from '../lib/turns.ts'
import type { Db, SqlKind } from './tables.ts'
import { bucketOf, readDigests } from './task-digest.ts'
import { readTasks } from './task-rows.ts'
import type { TaskChanges, TaskRow } from './task-types.ts'

/** How many buckets one statement reads: a quarter of all rows. */
const BUCKETS_AT_ONCE = 16
/** SQLite works on our thread: everything else gets a turn between two statements. */
const SLICE_MS = 2

const NOTHING: TaskChanges = { changed: [], gone: [] }

/**
 * Finds what changed in `task` by comparing contents: first the digests of buckets of rows, then
 * the rows of those buckets whose digest is another one. Times do not come into it.
 */
export class TaskPoll {
  readonly #db: Db
  readonly #kind: SqlKind
  readonly #turns = new Turns(SLICE_MS)
  #digests: ReadonlyMap<number, string> = new Map()
  /** What was reported of each row, by id. */
  readonly #told = new Map<number, string>()

  constructor(db: Db, kind: SqlKind) {
    this.#db = db
    this.#kind = kind
  }

  /** After an exception nothing has changed: the next call reports what this one would have. */
  async next(): Promise<TaskChanges> {
    const digests = await readDigests(this.#db, this.#kind)
    const stale = different(this.#digests, digests)
    if (stale.size === 0) return NOTHING
    const rows = await this.#rowsOf([...stale])
    // A row may change between the two reads. The digest is older, so the next call looks at the
    // bucket once more.
    this.#digests = digests
    return this.#compare(rows, stale)
  }

  async #rowsOf(buckets: readonly number[]): Promise<TaskRow[]> {
    const rows: TaskRow[] = []
    for (let from = 0; from < buckets.length; from += BUCKETS_AT_ONCE) {
      const some = sql.join(buckets.slice(from, from + BUCKETS_AT_ONCE).map(one => sql.lit(one)))
      await this.#turns.wait()
      const part = await readTasks(this.#db, this.#kind, sql`(id & 63) in (${some})`)
      rows.push(...part)
    }
    return rows.toSorted((a, b) => a.id - b.id)
  }

  #compare(rows: readonly TaskRow[], stale: ReadonlySet<number>): TaskChanges {
    const there = new Set(rows.map(row => row.id))
    const gone = [...this.#told.keys()].filter(id => stale.has(bucketOf(id)) && !there.has(id))
    for (const id of gone) this.#told.delete(id)
    const changed = rows.filter(row => {
      const text = definitionOf(row)
      if (this.#told.get(row.id) === text) return false
      this.#told.set(row.id, text)
      return true
    })
    return { changed, gone }
  }
}

function different(
  old: ReadonlyMap<number, string>,
  fresh: ReadonlyMap<number, string>,
): Set<number> {
  const all = new Set([...old.keys(), ...fresh.keys()])
  return new Set([...all].filter(bucket => old.get(bucket) !== fresh.get(bucket)))
}

function definitionOf(row: TaskRow): string {
  const { task_key, execute_func, trigger, spec, args, is_valid } = row
  return JSON.stringify([task_key, execute_func, trigger, spec, args, is_valid])
}
