import type { Job } from '../../model/job.ts'
import { type SqlJobRow, type SqlJobRules, sqlJobName } from '../../model/sql-job.ts'
import type { TaskChanges } from '../../store/task-table.ts'
import { dateOf, type PastDateDeps, type Settled, settlePastDates } from './past-dates.ts'
import { ignoredColumns, Roster, type RosterEntry } from './roster.ts'

/** A valid row that makes no job. */
export interface BadRow {
  readonly id: number
  readonly task_key: string
  /** The name of its job; with the id where another row has that name. */
  readonly name: string
  readonly problem: string
}

type WithJob = RosterEntry & { readonly job: Job }

/** The jobs of a roster, each settled once: whether its date is over, and from when on it counts. */
export class SqlJobList {
  readonly #deps: PastDateDeps
  readonly #roster = new Roster()
  readonly #settled = new WeakMap<Job, Settled>()
  #rules: SqlJobRules | undefined
  /** Whether `jobs` and `bad` are out of date. */
  #stale = false
  jobs: readonly Job[] = []
  bad: readonly BadRow[] = []

  constructor(deps: PastDateDeps) {
    this.#deps = deps
  }

  get entries(): Iterable<RosterEntry> {
    return this.#roster.entries
  }

  find(taskKey: string): RosterEntry | undefined {
    return this.#roster.find(taskKey)
  }

  ignored(id: number): string[] {
    const entry = this.#roster.get(id)
    return entry ? ignoredColumns(entry) : []
  }

  /** The columns that its job was made of, of a row that is live. */
  inForce(id: number): SqlJobRow | undefined {
    const entry = this.#roster.get(id)
    return entry?.live ? entry.taken : undefined
  }

  /** @returns the entries that were changed or removed, as they were before */
  apply(changes: TaskChanges, rules: SqlJobRules, now: number): RosterEntry[] {
    this.#rules = rules
    if (changes.changed.length + changes.gone.length > 0) this.#stale = true
    return this.#roster.apply(changes, rules, now)
  }

  /** @returns whether the rules have changed */
  reread(rules: SqlJobRules): boolean {
    const before = this.#rules
    this.#rules = rules
    if (before?.timezone === rules.timezone && before.tasks === rules.tasks) return false
    this.#roster.reread(rules)
    this.#stale = true
    return true
  }

  /**
   * Works out `jobs` and `bad`. A date that is over and cannot be judged now is left out, and tried
   * again with the next call.
   * @returns whether they have changed, and why some are left out
   */
  async settle(now: number): Promise<{ readonly changed: boolean; readonly error?: unknown }> {
    if (!this.#stale) return { changed: false }
    const past: WithJob[] = []
    for (const entry of this.#roster.entries) {
      if (!hasJob(entry) || this.#settled.has(entry.job)) continue
      if (entry.job.enabled && (dateOf(entry.job) ?? now + 1) <= now) past.push(entry)
      else this.#settled.set(entry.job, begun(entry, now))
    }
    try {
      const judged = await settlePastDates(past, this.#deps)
      for (const [job, verdict] of judged) this.#settled.set(job, verdict)
      this.#stale = false
      return { changed: true }
    } catch (error) {
      return { changed: true, error }
    } finally {
      this.#gather()
    }
  }

  #gather(): void {
    const jobs: Job[] = []
    const bad: BadRow[] = []
    for (const entry of this.#roster.entries) {
      const verdict = this.#verdictOf(entry)
      if (typeof verdict === 'object') jobs.push(verdict)
      else if (verdict !== undefined && entry.row.is_valid)
        bad.push(badRow(entry, verdict, this.#roster.isDoubled(entry)))
    }
    this.jobs = jobs
    this.bad = bad
  }

  #verdictOf(entry: RosterEntry): Settled | undefined {
    if (!this.#roster.isDoubled(entry))
      return entry.job ? this.#settled.get(entry.job) : entry.problem
    const owner = this.#roster.find(entry.taken.task_key)?.row.id
    return `task_key = ${entry.taken.task_key}: row ${owner} has it already. give this one another`
  }

  /** The problem to write into each row; '' for those that are in order. */
  *problems(): Iterable<{ readonly id: number; readonly problem: string }> {
    const bad = new Map(this.bad.map(one => [one.id, one.problem]))
    for (const { row } of this.#roster.entries) yield { id: row.id, problem: bad.get(row.id) ?? '' }
  }
}

function hasJob(entry: RosterEntry): entry is WithJob {
  return entry.job !== undefined
}

/** The ticks between the writing of a row and the look that found it are late, and not lost. */
function begun({ job, writtenAt }: WithJob, now: number): Job {
  const isNew = writtenAt >= now - job.misfireGraceMs
  return isNew ? Object.freeze({ ...job, since: writtenAt }) : job
}

function badRow({ taken }: RosterEntry, problem: string, doubled: boolean): BadRow {
  const { id, task_key } = taken
  return { id, task_key, name: `${sqlJobName(task_key)}${doubled ? `#${id}` : ''}`, problem }
}
