import type { JobSign } from '../../model/cron-state.ts'
import type { Job } from '../../model/job.ts'

/** What notices have to ask of the rest of the daemon. */
export interface World {
  /** This one, as others know it. */
  readonly node: () => string
  /** All that have a schedule, wherever they are written. */
  readonly jobs: () => readonly Job[]
  readonly next: (job: Job, after: number) => number | undefined
  readonly isWorker: (name: string) => boolean
  /** The queue of a worker. */
  readonly taskKeyOf: (workerId: string) => string
  /** Whether Redis can be asked. */
  readonly ready: () => boolean
  readonly signs: (jobs: readonly string[]) => Promise<readonly JobSign[]>
  readonly placeOf: (job: Job, taskId: string) => Promise<Place>
  /** Of all nodes that see that a job is missed, one reports it. */
  readonly claim: (section: string, job: string, tick: number) => Promise<boolean>
  /** Whether the daemon is leaving, with all that it runs. */
  readonly leaving: () => boolean
  readonly conditions: () => readonly PartCondition[]
}

export type Place = 'running' | 'waiting' | 'delayed' | 'nowhere'

export interface PartCondition {
  readonly what: 'redis' | 'database'
  readonly ok: boolean
  readonly error: string
}
