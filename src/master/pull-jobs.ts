import type { Job } from '../model/job.ts'

/**
 * The job that made a task, by its id: agents report ids alone, and those of ticks and of
 * `taskd run` have the job's name in them.
 */
export function jobOfTask(id: string, jobs: readonly Job[]): Job | undefined {
  const [, name] =
    /^cron-(.+)-\d+$/s.exec(id.replace(/-again-\w+$/, '')) ??
    /^run-(.+)-[\da-f]{8}-[\da-f]{4}$/s.exec(id) ??
    []
  return jobs.find(job => job.name === name || id.startsWith(`cron-${job.name}-boot-`))
}
