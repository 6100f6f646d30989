import type { Job } from '../model/job.ts'
import type { Task } from '../model/task.ts'
import { nextAfter } from './next-times.ts'

/**
 * The id of the task that a tick makes, whichever node makes it, and however often.
 * @param pass the pass of a tick that comes again because the clock was set back: it makes another task
 */
export function tickId(job: string, tick: number, pass = 0): string {
  return `cron-${job}-${tick}${pass === 0 ? '' : `-again-clock${pass}`}`
}

/** @param id another id than the tick's own, for a second run of the tick */
export function tickTask(job: Job, tick: number, id = tickId(job.name, tick)): Task {
  return { ...job.task, id, job: job.name, scheduledAt: tick }
}

/** The schedule as a text: when it changes, the cursor means nothing any more. */
export function specOf(job: Pick<Job, 'trigger' | 'timezone'>): string {
  return JSON.stringify([job.trigger, job.timezone])
}

/** The ticks of [from, to], oldest first, and no more than `most` of them. */
export function ticksBetween(
  { trigger, timezone }: Pick<Job, 'trigger' | 'timezone'>,
  from: number,
  to: number,
  most = Number.POSITIVE_INFINITY,
): number[] {
  const found: number[] = []
  for (let at = nextAfter(trigger, timezone, from - 1); at !== undefined && at <= to; ) {
    if (found.length >= most) break
    found.push(at)
    at = nextAfter(trigger, timezone, at)
  }
  return found
}
