import type { RunsQuery } from '../api/control.ts'
import type { LiveConfig } from '../config/live.ts'
import type { FailLog } from '../failures/fail-log.ts'
import type { ErrorCode } from '../lib/error-codes.ts'
import type { TaskdError } from '../lib/errors.ts'
import { unknownName } from '../lib/suggest.ts'
import type { Job } from '../model/job.ts'
import type { RunRecord } from '../model/run-record.ts'
import type { Task } from '../model/task.ts'
import type { FailFast } from '../queue/connection.ts'
import { jobRuns, queueRuns } from '../queue/keys.ts'
import { KEPT_OF_JOB, KEPT_OF_QUEUE, newestRuns } from '../queue/run-history.ts'

export interface RunLogDeps {
  readonly config: LiveConfig
  readonly jobs: () => readonly Job[]
  readonly redis: FailFast
  readonly failLog: FailLog
}

/** What is known of runs that are over: the history in Redis and, of failed ones, fail_log. */
export class RunLog {
  readonly #deps: RunLogDeps

  constructor(deps: RunLogDeps) {
    this.#deps = deps
  }

  /** @throws TaskdError E_NO_JOB, E_NO_QUEUE */
  async runs({ limit, job, task_key: taskKey }: RunsQuery): Promise<RunRecord[]> {
    const { config, redis } = this.#deps
    const { queues } = config.current
    const jobs = this.#deps.jobs()
    const known = taskKey === undefined || queues.some(one => one.taskKey === taskKey)
    if (!known)
      throw unknown(
        'E_NO_QUEUE',
        'queue',
        taskKey,
        queues.map(one => one.taskKey),
      )
    const wanted = (run: RunRecord) => taskKey === undefined || run.task_key === taskKey
    if (job !== undefined) {
      const found = await newestRuns(redis, { limit, keys: [jobRuns(job)], wanted })
      // A job that is no longer configured still has its history.
      if (found.length === 0 && !jobs.some(one => one.name === job))
        throw unknown(
          'E_NO_JOB',
          'job',
          job,
          jobs.map(one => one.name),
        )
      return found
    }
    const keys = [
      ...jobs
        .filter(one => taskKey === undefined || one.task.taskKey === taskKey)
        .map(one => jobRuns(one.name)),
      ...queues
        .filter(one => taskKey === undefined || one.taskKey === taskKey)
        .map(one => queueRuns(one.taskKey)),
    ]
    return newestRuns(redis, { limit, keys, wanted })
  }

  /**
   * The newest run of a job that did not succeed, as far as runs are kept; `unknown`: Redis does
   * not tell.
   */
  async lastFailure(job: string): Promise<RunRecord | undefined | 'unknown'> {
    const wanted = (run: RunRecord) => run.outcome === 'fail' || run.outcome === 'other'
    const query = { limit: KEPT_OF_JOB, keys: [jobRuns(job)], wanted }
    return newestRuns(this.#deps.redis, query).then(
      ([run]) => run,
      () => 'unknown' as const,
    )
  }

  /**
   * The end of what the last run of a task wrote.
   * @param task when the queue still knows it
   */
  async outputOf(id: string, task: Task | undefined): Promise<string | undefined> {
    const { redis, failLog } = this.#deps
    const keys = task ? [runsOf(task)] : this.#likely(id)
    const wanted = (run: RunRecord) => run.unique_task_id === id
    const [run] = await newestRuns(redis, { limit: KEPT_OF_QUEUE, keys, wanted })
    // While the database is away there is still the shorter one.
    const rows = await failLog.byTaskId(id).catch(() => [])
    const row = rows.at(-1)
    if (row && row.attempt >= (run?.attempt ?? 0)) return row.output
    return run?.output
  }

  /**
   * The histories that may have a task which its queue has forgotten: the id of a job's task has
   * its name.
   */
  #likely(id: string): string[] {
    const { queues } = this.#deps.config.current
    const own = this.#deps
      .jobs()
      .filter(({ name }) => id.startsWith(`cron-${name}-`) || id.startsWith(`run-${name}-`))
    if (own.length > 0) return own.map(job => jobRuns(job.name))
    return queues.map(queue => queueRuns(queue.taskKey))
  }
}

function runsOf({ job, taskKey }: Task): string {
  return job === '' ? queueRuns(taskKey) : jobRuns(job)
}

function unknown(
  code: ErrorCode,
  what: string,
  name: string,
  names: readonly string[],
): TaskdError {
  return unknownName(code, `no ${what} named ${name}`, name, names, '`taskd status` lists them')
}
