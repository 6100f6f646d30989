/**
 * A pull queue, for machines that reach only HTTP: they claim tasks, run them and report. A task
 * is todo, doing (leased), finished or dead (`failed` in the counts), and exactly one of these.
 */

/** Tasks, claims or reports in one call. */
export const MAX_PULL_BATCH = 5000

/** A task as it was handed in. */
export interface PullTask {
  readonly id: string
  /** The whole object as JSON text, kept byte for byte. */
  readonly content: string
}

export interface PushAnswer {
  readonly id: string
  /**
   * `duplicate`: it waits or runs already, and stays as it is, but for its place when promoted.
   * `full`: the queue is at its capacity. A finished or dead id is accepted again, as a new task.
   */
  readonly answer: 'accepted' | 'duplicate' | 'full'
  /** A duplicate that waited, and was moved to the front. */
  readonly promoted: boolean
}

export interface Pushed {
  /** One for each task, in their order. */
  readonly answers: readonly PushAnswer[]
  readonly accepted: number
  /** How many more would fit now. */
  readonly room: number
}

export interface Claimed {
  readonly id: string
  /** From 1, and never the same again for this task while the queue knows it. */
  readonly attempt: number
  /** JSON text, as it was pushed. */
  readonly content: string
  /** Wall time, ms, until which nobody else gets it. */
  readonly leaseUntil: number
}

/** What a worker reports about a task that it had claimed. */
export interface PullReport {
  readonly id: string
  /** Which attempt it was: without it, a late report can hit a later claim of the same task. */
  readonly attempt?: number
  /** Why it failed, for people; kept when the task dies of it. */
  readonly msg?: string
}

/**
 * `finished`, `requeued`, `dead`, `returned`: counted by this report, once.
 * `already`: that attempt was over and counted before; nothing changed.
 * `stale`: it speaks of a claim that is not the current one (claimed anew since, or never claimed
 * in this life of the id); nothing changed.
 * `unknown`: no such id, or one that finished too long ago to be remembered.
 */
export type ReportWord =
  | 'finished'
  | 'requeued'
  | 'dead'
  | 'returned'
  | 'already'
  | 'stale'
  | 'unknown'

export interface ReportAnswer {
  readonly id: string
  readonly answer: ReportWord
}

export interface Reports {
  readonly finish?: readonly PullReport[]
  readonly failed?: readonly PullReport[]
}

export interface Reported {
  /** In the order of what was reported. */
  readonly finish: readonly ReportAnswer[]
  readonly failed: readonly ReportAnswer[]
}

export interface PullCounts {
  readonly todo: number
  readonly doing: number
  /** Finished ids that are still remembered. */
  readonly finish: number
  /** Dead ones that are kept. */
  readonly failed: number
  /** How long the longest waiting task has waited since it was pushed or came back, ms; 0 for none. */
  readonly oldestMs: number
  /** In all, ever; never decreases. */
  readonly finishedTotal: number
  readonly deadTotal: number
}

/** A task that failed as often as `retries` says, or whose lease was over `max_leases` times. */
export interface DeadTask {
  readonly id: string
  readonly attempt: number
  readonly content: string
  /** `failed`: reported as failed. `lease`: not reported in time, too often. */
  readonly why: 'failed' | 'lease'
  /** Who had claimed it, and what it reported; '' when it did not. */
  readonly worker: string
  readonly msg: string
  /** Wall time, ms. */
  readonly claimedAt: number
  readonly diedAt: number
  /** How many leases were over when it died of that; else 0. */
  readonly leases: number
}

/** A dead task that is kept, to be looked at or tried again. */
export interface KeptDead {
  readonly id: string
  readonly content: string
  readonly diedAt: number
}

/** What the routes need of a pull queue. */
export interface PullStore {
  push(tasks: readonly PullTask[], options?: { readonly promote?: boolean }): Promise<Pushed>
  /**
   * Claims from the front; fewer than asked when there are no more, or when they are large.
   * @param claimId names this claim: the same name again, from the same worker and within some
   *   minutes, means that no answer came, and brings the same tasks, and then new ones
   */
  claim(count: number, worker?: string, claimId?: string): Promise<Claimed[]>
  report(reports: Reports): Promise<Reported>
  /** Puts claimed tasks that were not begun back in front; the attempt does not count as a try. */
  giveBack(tasks: readonly PullReport[]): Promise<ReportAnswer[]>
  counts(): Promise<PullCounts>
  /** The dead, newest first. */
  dead(limit: number): Promise<KeptDead[]>
  /** Puts dead tasks back on the queue as they were pushed, with all their tries. */
  retryDead(ids: readonly string[]): Promise<Pushed>
}
