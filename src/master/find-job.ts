import { TaskdError } from '../lib/errors.ts'
import { unknownName } from '../lib/suggest.ts'
import type { Job } from '../model/job.ts'
import { parseInstant } from '../schedule/read-time.ts'

export interface JobsByName {
  /** All there are, also those that are disabled. */
  readonly jobs: () => readonly Job[]
  /** Also one that was written into the database a moment ago. */
  readonly findJob: (name: string) => Promise<Job | undefined>
}

/** @throws TaskdError E_NO_JOB */
export async function requireJob({ jobs, findJob }: JobsByName, name: string): Promise<Job> {
  const job = await findJob(name)
  if (job) return job
  const names = jobs().map(one => one.name)
  const otherwise = '`taskd status` lists the jobs'
  throw unknownName('E_NO_JOB', `no job named ${name}`, name, names, otherwise)
}

/** @throws TaskdError E_NO_QUEUE */
export function requireQueue(taskKeys: readonly string[], name: string): void {
  if (taskKeys.includes(name)) return
  const otherwise = '`taskd status` lists the queues'
  throw unknownName('E_NO_QUEUE', `no queue named ${name}`, name, taskKeys, otherwise)
}

/** @param what its name for the user: `--from` @throws TaskdError E_BAD_REQUEST */
export function instantOf(text: string, job: Job, what: string): number {
  const at = parseInstant(text, job.timezone)
  if (at.ok) return at.value
  throw new TaskdError('E_BAD_REQUEST', `${what}: ${at.reason}`)
}
