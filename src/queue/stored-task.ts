import type { Task } from '../model/task.ts'
import type { JobsOptions } from './bullmq.ts'
import { fromJobId, toJobId } from './job-id.ts'

/** A task as the engine keeps it: what the engine's own fields already say is left out. */
export type StoredTask = Partial<Omit<Task, 'id' | 'taskKey' | 'priority' | 'startAt'>> & {
  readonly script: string
  /** Runs that an earlier life of this id had (it was retried from the archive). */
  readonly earlierAttempts?: number
}

export const STORED_NAME = 'task'

export interface StoreOptions {
  /** Runs that an earlier life of this id had. */
  readonly earlierAttempts?: number
  /** The message of a plain list that it came from; that message becomes no second task. */
  readonly taken?: string | undefined
}

/** @param now wall time in ms, to turn `startAt` into a delay */
export function toStored(
  task: Task,
  now: number,
  { earlierAttempts = 0, taken }: StoreOptions = {},
) {
  const { id, taskKey: _key, priority, startAt, ...rest } = task
  const data = Object.fromEntries(
    Object.entries({ ...rest, scheduledAt: rest.scheduledAt ?? startAt, earlierAttempts }).filter(
      ([, value]) => !isBlank(value),
    ),
  ) as unknown as StoredTask
  const delay = startAt === undefined ? 0 : Math.max(0, startAt - now)
  const opts: JobsOptions & Pick<StoreOptions, 'taken'> = {
    jobId: toJobId(id),
    priority,
    ...(taken !== undefined && { taken }),
    // Counted from the same moment as `delay`; from a later one it would be due too late.
    ...(delay > 0 && { delay, timestamp: now }),
    ...(task.retries > 0 && { attempts: task.retries + 1, backoff: { type: 'sequence' } }),
  }
  return { name: STORED_NAME, data, opts }
}

function isBlank(value: unknown): boolean {
  return (
    value === undefined ||
    value === '' ||
    value === 0 ||
    (Array.isArray(value) && value.length === 0)
  )
}

/** @param job the parts of an engine job that make up a task */
export function fromStored(
  taskKey: string,
  job: { readonly id?: string | undefined; readonly data: StoredTask; readonly priority: number },
): Task {
  const { earlierAttempts: _earlier, ...data } = job.data
  return Object.freeze({
    controller: '',
    function: '',
    param: '',
    job: '',
    retries: 0,
    retryIntervalsMs: [],
    ...data,
    id: fromJobId(job.id ?? ''),
    taskKey,
    priority: job.priority,
  })
}

/** The wait before retry `n` (from 1), ms; the last interval repeats. */
export function retryDelay(intervalsMs: readonly number[] | undefined, n: number): number {
  if (intervalsMs === undefined || intervalsMs.length === 0) return 0
  return intervalsMs[Math.min(n, intervalsMs.length) - 1] ?? 0
}
