export const QUEUE_MODES = ['sync', 'async', 'pull'] as const

/** A queue as the configuration describes it. */
export interface QueueSpec {
  readonly taskKey: string
  readonly mode: (typeof QUEUE_MODES)[number]
  /** Worker processes on this node. */
  readonly workers: number
  /** Tasks that one worker runs at once. */
  readonly concurrency: number
  /** At most `max` starts in `durationMs`, over all nodes. */
  readonly rate?: { readonly max: number; readonly durationMs: number }
  /** Pause between the end of a task and the start of the next, ms, per concurrent slot. */
  readonly periodMs: number
  /** Tasks that may wait; more stay in their list, or are refused with a message. */
  readonly capacity: number
  /** Pull queues: how long a claim is good for, ms. */
  readonly leaseMs: number
  /** Pull queues: reports of failure before a task is dead. */
  readonly retries: number
  /** Pull queues: leases that may be over before a task is dead; 0 for any number. */
  readonly maxLeases: number
  /** Pull queues: how many finished ids are kept. */
  readonly finishKeep: number
}
