import type {
  Claimed,
  PullCounts,
  PullReport,
  PullTask,
  Pushed,
  ReportAnswer,
  Reported,
} from '../model/pull.ts'

/** What the routes of pull queues may ask of the daemon. Each throws TaskdError E_NO_QUEUE. */
export interface PullPort {
  /** The names of all pull queues. */
  readonly names: readonly string[]
  push(
    taskKey: string,
    tasks: readonly PullTask[],
    options: { readonly promote: boolean },
  ): Promise<Pushed>
  /**
   * @param worker who claims, for people
   * @param claimId the name of this claim, for one that may be repeated, see model/pull.ts
   */
  claim(taskKey: string, count: number, worker: string, claimId?: string): Promise<PullClaim>
  report(taskKey: string, reports: PullReports): Promise<PullReported>
  counts(taskKey: string): Promise<PullStanding>
}

export interface PullClaim {
  readonly tasks: readonly Claimed[]
  /** How long they are leased for, ms. */
  readonly leaseMs: number
}

export interface PullReports {
  readonly finish: readonly PullReport[]
  readonly failed: readonly PullReport[]
  /** Claimed and not begun: they go back in front, and the claim does not count as a try. */
  readonly returned: readonly PullReport[]
}

export interface PullReported extends Reported {
  readonly returned: readonly ReportAnswer[]
}

export interface PullStanding extends PullCounts {
  /** How many may wait. */
  readonly capacity: number
  /** Claims find nothing until somebody resumes the queue. */
  readonly paused: boolean
}
