import type { SqlJobsStatus } from '../../api/sql-jobs-port.ts'
import type { JobStatus } from '../../api/status.ts'
import { SQL_QUEUE } from '../../model/sql-job.ts'
import { NO_RUN } from '../last-run.ts'
import type { BadRow } from './job-list.ts'
import type { SqlJobs } from './sql-jobs.ts'

/** The part of the daemon's status that is about the table of jobs. */
export function sqlJobsStatus({
  jobs,
  bad,
  condition,
}: Pick<SqlJobs, 'jobs' | 'bad' | 'condition'>): SqlJobsStatus {
  const { ok, error, since } = condition
  return { ok, error, since, count: jobs.length, bad: bad.length }
}

/** A row that makes no job still has its line among the jobs. */
export function badStatus({ name, problem }: BadRow): JobStatus {
  return {
    name,
    task_key: SQL_QUEUE,
    enabled: true,
    bad: true,
    held: problem,
    next: null,
    ...NO_RUN,
    failures: 0,
  }
}
