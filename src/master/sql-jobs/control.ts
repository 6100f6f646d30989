import type {
  NewSqlJob,
  SqlHistoryQuery,
  SqlJob,
  SqlJobChange,
  SqlJobDone,
  SqlJobsPort,
  SqlRun,
} from '../../api/sql-jobs-port.ts'
import type { Clock } from '../../lib/clock.ts'
import { TaskdError } from '../../lib/errors.ts'
import { unknownName } from '../../lib/suggest.ts'
import type { Job } from '../../model/job.ts'
import { readSqlJob, sqlJobName } from '../../model/sql-job.ts'
import { formatInstant } from '../../schedule/format.ts'
import type { Store } from '../../store/store.ts'
import type { TaskRow } from '../../store/task-table.ts'
import { inSql as orAway } from '../in-sql.ts'
import { heldBy, type JobStates } from '../job-states.ts'
import type { KnownTasksDeps } from '../known-tasks.ts'
import { lastRun, NO_RUN, UNKNOWN_RUN } from '../last-run.ts'
import { dateOf } from './past-dates.ts'
import { ignoredColumns } from './roster.ts'
import { sqlJobRules } from './rules.ts'
import type { SqlJobs } from './sql-jobs.ts'

export interface SqlJobControlDeps extends KnownTasksDeps {
  readonly store: Pick<Store, 'tasks' | 'runRows'>
  readonly sqlJobs: Pick<SqlJobs, 'jobs' | 'bad' | 'look' | 'inForce'>
  readonly jobStates: Pick<JobStates, 'read'>
  readonly clock: Clock
  readonly nextOf: (name: string) => number | undefined
  /** Tells the other nodes that rows have changed. */
  readonly announce: () => Promise<unknown>
}

/** What people do with rows of `task` by the command line and over HTTP. */
export class SqlJobControl implements SqlJobsPort {
  readonly #deps: SqlJobControlDeps
  readonly #rules = sqlJobRules()

  constructor(deps: SqlJobControlDeps) {
    this.#deps = deps
  }

  async listSqlJobs(): Promise<readonly SqlJob[]> {
    const { store, sqlJobs, jobStates } = this.#deps
    const rows = await inSql(store.tasks.list())
    const jobs = new Map(sqlJobs.jobs.map(job => [job.task.rowId, job]))
    const problems = new Map(sqlJobs.bad.map(one => [one.id, one.problem]))
    const taken = rows.map(row => sqlJobs.inForce(row.id) ?? row)
    const told = await jobStates.read()
    return Promise.all(
      rows.map(async (row, index) => {
        const job = jobs.get(row.id)
        const { execute_func, trigger, args, task_key } = taken[index] ?? row
        const name = sqlJobName(task_key)
        const state = told.states.get(name)
        const held = row.is_valid ? heldBy(state, told) : ''
        return {
          ...plain(row),
          // What runs: a change of a live row waits.
          execute_func,
          trigger,
          args,
          waits: ignoredColumns({ row, taken: taken[index] ?? row }),
          name,
          problem: problems.get(row.id) ?? '',
          held,
          next: held === '' ? this.#next(job) : null,
          ...(job
            ? await lastRun(this.#deps, job, state)
            : told.as_of === undefined
              ? NO_RUN
              : UNKNOWN_RUN),
          ...(told.as_of !== undefined && { as_of: told.as_of }),
        }
      }),
    )
  }

  async addSqlJob(row: NewSqlJob): Promise<SqlJobDone> {
    this.#check(row)
    await inSql(this.#deps.store.tasks.add(row))
    return this.#done(row.task_key)
  }

  async changeSqlJob({ task_key: key, ...change }: SqlJobChange): Promise<SqlJobDone> {
    const { store } = this.#deps
    const row = await this.#find(key)
    if (change.spec !== undefined) this.#check({ ...row, spec: change.spec })
    else if (change.is_valid === true && !row.is_valid) this.#check(row)
    if (!(await inSql(store.tasks.change(key, change)))) throw await this.#unknown(key)
    return this.#done(key)
  }

  async sqlJobHistory({ limit, task_key: key }: SqlHistoryQuery): Promise<readonly SqlRun[]> {
    const { store } = this.#deps
    const taskId = key === undefined ? undefined : (await this.#find(key)).id
    const runs = await inSql(
      store.runRows.history({ limit, ...(taskId !== undefined && { taskId }) }),
    )
    const keys = new Map((await inSql(store.tasks.list())).map(row => [row.id, row.task_key]))
    return runs.map(run => ({ ...run, task_key: keys.get(run.task_id) ?? '' }))
  }

  /** @throws TaskdError E_BAD_ROW: everything that would keep the row from running */
  #check(row: NewSqlJob): void {
    const read = readSqlJob({ ...row, id: 0 }, row.is_valid, this.#rules(this.#deps.config.current))
    if (!read.ok) throw new TaskdError('E_BAD_ROW', read.reason)
    const { clock } = this.#deps
    const date = dateOf(read.value)
    if (date !== undefined && date < clock.now() - read.value.misfireGraceMs)
      throw new TaskdError(
        'E_BAD_ROW',
        `spec = ${row.spec}: lies in the past`,
        'write a date to come',
      )
  }

  async #find(key: string): Promise<TaskRow> {
    const row = await inSql(this.#deps.store.tasks.find(key))
    if (!row) throw await this.#unknown(key)
    return row
  }

  async #unknown(key: string): Promise<TaskdError> {
    const rows = await inSql(this.#deps.store.tasks.list())
    const known = rows.map(row => row.task_key)
    const message = `no row of task has the task_key ${key}`
    return unknownName('E_NO_ROW', message, key, known, '`taskd task list` shows them')
  }

  /** Here it has taken effect by then; the others are told. */
  async #done(key: string): Promise<SqlJobDone> {
    const { sqlJobs, announce } = this.#deps
    const row = await this.#find(key)
    // What was written is written: whoever is not told now sees it within seconds.
    await Promise.all([sqlJobs.look().catch(() => undefined), announce().catch(() => undefined)])
    const name = sqlJobName(row.task_key)
    const job = sqlJobs.jobs.find(one => one.task.rowId === row.id)
    const next = this.#next(job)
    return { task_key: row.task_key, name, is_valid: row.is_valid, next }
  }

  #next(job: Job | undefined): string | null {
    const next = job?.enabled ? this.#deps.nextOf(job.name) : undefined
    if (job === undefined || next === undefined) return null
    return formatInstant(next, job.timezone)
  }
}

function plain({ extra: _extra, ageMs: _age, ...row }: TaskRow) {
  return row
}

const inSql = <T>(answer: Promise<T>) =>
  orAway(answer, 'the jobs that are known go on; `taskd status` shows when it is back')
