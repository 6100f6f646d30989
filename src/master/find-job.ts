import { TaskdError } from '../lib/errors.ts'
import { suggest } from '../lib/suggest.ts'
import type { Job } from '../model/job.ts'
import { parseInstant } from '../schedule/read-time.ts'

/** @throws TaskdError E_NO_JOB */
export function findJob(jobs: readonly Job[], name: string): Job {
  const job = jobs.find(one => one.name === name)
  if (job) return job
  const near = suggest(
    name,
    jobs.map(one => one.name),
  )
  const hint = near === undefined ? '`taskd status` lists the jobs' : `did you mean ${near}?`
  throw new TaskdError('E_NO_JOB', `no job named ${name}`, hint)
}

/** @param what how the user knows it: `--from` @throws TaskdError E_BAD_REQUEST */
export function instantOf(text: string, job: Job, what: string): number {
  const at = parseInstant(text, job.timezone)
  if (at.ok) return at.value
  throw new TaskdError('E_BAD_REQUEST', `${what}: ${at.reason}`)
}
