import type { ClaimedTask } from './master-api.ts'

/** A task that this machine has claimed. */
export interface HeldTask extends ClaimedTask {
  /** When somebody else may get it, monotonic ms. */
  readonly until: number
  readonly leaseMs: number
}

/** How much of an older mean a new duration leaves, and how much of its lease a task may wait. */
const OLD_SHARE = 0.9
const LEASE_SHARE = 0.5

/**
 * The tasks that wait here: about a batch, and never more than can be finished within half of their
 * lease, as far as the durations of those before them tell. Until one has ended, that is no
 * more than can begin at once.
 */
export class Hand {
  readonly #batch: number
  readonly #concurrency: number
  readonly #waiting: HeldTask[] = []
  #leaseMs: number | undefined
  #meanMs: number | undefined

  constructor(batch: number, concurrency: number) {
    this.#batch = batch
    this.#concurrency = concurrency
  }

  get size(): number {
    return this.#waiting.length
  }

  add(tasks: readonly ClaimedTask[], leaseMs: number, askedAt: number): void {
    this.#leaseMs = leaseMs
    const until = askedAt + leaseMs
    for (const task of tasks) this.#waiting.push({ ...task, until, leaseMs })
  }

  ended(durationMs: number): void {
    this.#meanMs =
      this.#meanMs === undefined
        ? durationMs
        : OLD_SHARE * this.#meanMs + (1 - OLD_SHARE) * durationMs
  }

  /**
   * How many to claim now; 0 while there are enough.
   * @param elapsed how long each of those has run that run now, ms
   */
  wanted(elapsed: readonly number[]): number {
    const free = Math.max(0, this.#concurrency - elapsed.length)
    const most = this.#most(this.#durationMs(elapsed))
    const room = free + most - this.#waiting.length
    // Few at a time would cost a request each.
    return room >= Math.max(1, free, most / 2) ? room : 0
  }

  /** How many may wait behind those that run. */
  #most(durationMs: number | undefined): number {
    if (durationMs === undefined || this.#leaseMs === undefined) return 0
    const within = (this.#concurrency * this.#leaseMs * LEASE_SHARE) / Math.max(1, durationMs)
    return Math.min(this.#batch, Math.max(0, Math.floor(within) - this.#concurrency))
  }

  /**
   * The expected duration of a task: the mean of those before it, or longer if one has already run
   * longer.
   */
  #durationMs(elapsed: readonly number[]): number | undefined {
    if (this.#meanMs === undefined) return undefined
    const sum = elapsed.reduce((all, one) => all + one, 0)
    return Math.max(this.#meanMs, elapsed.length === 0 ? 0 : sum / elapsed.length)
  }

  /** The next one to run, and those that have waited for too long to be begun. */
  take(now: number): { readonly task: HeldTask | undefined; readonly late: readonly HeldTask[] } {
    const late: HeldTask[] = []
    for (;;) {
      const task = this.#waiting.shift()
      if (task === undefined) return { task, late }
      const needed = Math.min(this.#meanMs ?? 0, task.leaseMs * LEASE_SHARE)
      if (task.until - now >= Math.max(needed, task.leaseMs / 10)) return { task, late }
      late.push(task)
    }
  }

  /** All of them, for they will not be begun. */
  clear(): readonly HeldTask[] {
    return this.#waiting.splice(0)
  }
}

/** How long a run may take that must be over, with its KILL, before the lease is. */
export function runLimitMs(task: HeldTask, wantedMs: number, killWaitMs: number, now: number) {
  const killMs = Math.min(killWaitMs, task.leaseMs / 5)
  return { maxRunTimeMs: Math.max(1, Math.min(wantedMs, task.until - now - killMs)), killMs }
}
