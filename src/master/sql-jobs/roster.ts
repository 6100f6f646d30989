import type { Job } from '../../model/job.ts'
import { readSqlJob, type SqlJobRow, type SqlJobRules } from '../../model/sql-job.ts'
import type { TaskChanges, TaskRow } from '../../store/task-table.ts'

/** A row of `task`, and what is made of it. */
export interface RosterEntry {
  /** As it was last read. */
  readonly row: TaskRow
  /** When it was written, by the clock of this machine, ms. */
  readonly writtenAt: number
  /** The columns in force: of a live row only `spec` is taken over. */
  readonly taken: SqlJobRow
  /** Whether its schedule is in force: the row is valid and has been in order since it became valid. */
  readonly live: boolean
  /** Undefined when there is none, and `problem` says why. */
  readonly job: Job | undefined
  readonly problem: string
}

/** The columns of a live row that are taken over only once it was made invalid and valid again. */
const FIXED = ['task_key', 'execute_func', 'trigger', 'args'] as const

/** The rows of `task` as jobs. Knows nothing of where they come from, nor who runs them. */
export class Roster {
  readonly #entries = new Map<number, RosterEntry>()
  /** The rows of a key, by id. */
  readonly #ids = new Map<string, number[]>()

  get entries(): Iterable<RosterEntry> {
    return this.#entries.values()
  }

  get(id: number): RosterEntry | undefined {
    return this.#entries.get(id)
  }

  /** The row that has this key: the first that is valid, else the first. */
  find(taskKey: string): RosterEntry | undefined {
    const ids = this.#ids.get(taskKey) ?? []
    const owner = ids.find(id => this.#entries.get(id)?.row.is_valid) ?? ids[0]
    return owner === undefined ? undefined : this.#entries.get(owner)
  }

  /** Whether its task_key belongs to another row. */
  isDoubled({ row, taken }: RosterEntry): boolean {
    return this.find(taken.task_key)?.row.id !== row.id
  }

  /** @returns the entries that were changed or removed, as they were before */
  apply({ changed, gone }: TaskChanges, rules: SqlJobRules, now: number): RosterEntry[] {
    const before = [...gone, ...changed.map(row => row.id)].flatMap(id => this.get(id) ?? [])
    const known = new Map(before.map(entry => [entry.row.id, entry]))
    for (const entry of before) this.#remove(entry)
    for (const row of changed) this.#add(entryOf(row, known.get(row.id), rules, now))
    return before
  }

  /** Reads all rows again, by other rules. */
  reread(rules: SqlJobRules): void {
    for (const [id, entry] of this.#entries) {
      this.#entries.set(id, { ...entry, ...reading(entry.taken, entry.row, rules) })
    }
  }

  #add(entry: RosterEntry): void {
    const { id, task_key: key } = entry.taken
    this.#entries.set(id, entry)
    const ids = this.#ids.get(key)
    if (ids)
      this.#ids.set(
        key,
        [...ids, id].toSorted((a, b) => a - b),
      )
    else this.#ids.set(key, [id])
  }

  #remove({ taken: { id, task_key: key } }: RosterEntry): void {
    this.#entries.delete(id)
    const ids = this.#ids.get(key)?.filter(one => one !== id) ?? []
    if (ids.length === 0) this.#ids.delete(key)
    else this.#ids.set(key, ids)
  }
}

function entryOf(
  row: TaskRow,
  known: RosterEntry | undefined,
  rules: SqlJobRules,
  now: number,
): RosterEntry {
  const stays = known?.live === true && row.is_valid
  const taken = stays ? { ...known.taken, spec: row.spec } : columnsOf(row)
  const writtenAt = now - Math.max(0, row.ageMs)
  // An unchanged job must stay the same value, so that nothing is done about it.
  if (known?.job && known.row.is_valid === row.is_valid && isSame(known.taken, taken))
    return { ...known, row }
  const read = reading(taken, row, rules)
  return { row, writtenAt, taken, live: row.is_valid && (stays || read.job !== undefined), ...read }
}

function reading(taken: SqlJobRow, row: TaskRow, rules: SqlJobRules) {
  const read = readSqlJob(taken, row.is_valid, rules)
  if (read.ok) return { job: read.value, problem: '' }
  // Otherwise a spec that fits the trigger in its row would be called wrong for no visible reason.
  const waits =
    row.trigger === taken.trigger
      ? ''
      : `; its trigger is still ${taken.trigger}. for another set is_valid = 0, and 3 s later 1 again`
  return { job: undefined, problem: `${read.reason}${waits}` }
}

function columnsOf({ id, task_key, execute_func, trigger, spec, args }: TaskRow): SqlJobRow {
  return { id, task_key, execute_func, trigger, spec, args }
}

function isSame(a: SqlJobRow, b: SqlJobRow): boolean {
  return a.spec === b.spec && FIXED.every(column => a[column] === b[column])
}

/** The columns of a live row whose change waits until it was made invalid and valid again. */
export function ignoredColumns({
  row,
  taken,
}: Pick<RosterEntry, 'taken'> & { readonly row: SqlJobRow }): string[] {
  return FIXED.filter(column => row[column] !== taken[column])
}
