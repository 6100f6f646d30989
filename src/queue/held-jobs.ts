import type { Job } from './bullmq.ts'
import { engineKeys } from './engine-keys.ts'
import { insist } from './insist.ts'
import type { Scripts } from './scripts.ts'
import type { StoredTask } from './stored-task.ts'

/**
 * A lock names the owner of a task; it does not expire to show that the owner is gone. Whether an owner
 * lives is judged otherwise (master/recovery.ts). So a lock lasts longer than any run.
 */
export const LOCK_MS = 10 * 365 * 86_400_000

/** What the queue says of a task that we hold. */
export type Standing =
  | 'ours'
  /** Somebody else has it by now, or has settled it: the result here does not count. */
  | 'taken'
  /** The queue has our verdict already, or has forgotten the task. */
  | 'over'

interface Hold {
  readonly job: Job<StoredTask>
  token: string
  readonly starts: number
  readonly verdicts: number
  standing: Standing
  /** Its run is over, and the queue is being told. */
  leaving: boolean
}

export interface HeldJobsDeps {
  readonly redis: Scripts
  readonly taskKey: string
  /** The text form of this incarnation, see model/owner.ts. */
  readonly owner: string
  /** Called once for each task that turns out to be somebody else's. */
  readonly onTaken: (jobId: string) => void
  /** Called when the queue knows how a task has ended, or when it is no longer ours. */
  readonly onOver: (jobId: string) => void
}

/** The tasks of one worker, from their arrival until the queue has taken our verdict on them. */
export class HeldJobs {
  readonly #deps: HeldJobsDeps
  readonly #holds = new Map<string, Hold>()

  constructor(deps: HeldJobsDeps) {
    this.#deps = deps
  }

  get size(): number {
    return this.#holds.size
  }

  has(jobId: string): boolean {
    return this.#holds.has(jobId)
  }

  /**
   * @returns false when we hold it already: a failover has lost that, and the queue has handed it
   * to us again. It stays one task, under its new lock. A task whose verdict is on its way is no longer
   * held: its retry may arrive before we hear that the queue has taken the verdict.
   */
  add(job: Job<StoredTask>): boolean {
    const id = job.id ?? ''
    const known = this.#holds.get(id)
    if (known?.job === job) return true
    if (known && !known.leaving) {
      known.token = job.token ?? ''
      return false
    }
    this.#holds.set(id, {
      job,
      token: job.token ?? '',
      starts: job.attemptsStarted,
      verdicts: job.attemptsMade,
      standing: 'ours',
      leaving: false,
    })
    return true
  }

  drop(job: Job<StoredTask>): void {
    const id = job.id ?? ''
    if (this.#holds.get(id)?.job === job) this.#holds.delete(id)
  }

  isTaken(jobId: string): boolean {
    return this.#holds.get(jobId)?.standing === 'taken'
  }

  /** Asks the queue, and restores the task's lock where it was lost. */
  async standingOf(jobId: string): Promise<Standing> {
    const hold = this.#holds.get(jobId)
    if (!hold) return 'over'
    if (hold.standing !== 'ours') return hold.standing
    const { redis, taskKey, owner, onTaken } = this.#deps
    const engine = engineKeys(taskKey)
    const { active, prioritized, wait, delayed } = engine
    const { token, starts, verdicts } = hold
    const keys = [engine.job(jobId), engine.lock(jobId), active, prioritized, wait, delayed]
    const answer = await insist(() =>
      redis.holdOn(...keys, jobId, token, owner, LOCK_MS, starts, verdicts),
    )
    if (answer === 1) return 'ours'
    const standing = answer === 0 ? 'taken' : 'over'
    hold.standing = standing
    if (standing === 'taken') onTaken(jobId)
    return standing
  }

  /** The same for all except those that are leaving, which ask for themselves. */
  async confirm(): Promise<void> {
    const staying = [...this.#holds].filter(([, hold]) => !hold.leaving)
    await Promise.all(staying.map(([id]) => this.standingOf(id)))
  }

  /**
   * Makes a move that the queue accepts only from a task's owner. Afterwards we no longer hold it.
   * @param token of its lock, where we do not know a newer one
   * @returns undefined when the task is not ours any more, and nothing was moved
   */
  async move<T>(
    job: Job<StoredTask>,
    token: string,
    make: (token: string) => Promise<T>,
  ): Promise<T | undefined> {
    const id = job.id ?? ''
    const known = this.#holds.get(id)
    const hold = known?.job === job ? known : undefined
    if (hold) hold.leaving = true
    try {
      for (;;) {
        try {
          const moved = await insist(() => make(hold?.token ?? token))
          this.#deps.onOver(id)
          return moved
        } catch (error) {
          if (!isDisowned(error)) throw error
        }
        // It has come to us again meanwhile; that is a new hold.
        const replaced = this.#holds.get(id) !== hold
        if (!replaced && (await this.standingOf(id)) === 'ours') continue
        this.#deps.onOver(id)
        return undefined
      }
    } finally {
      this.drop(job)
    }
  }
}

/** The engine's codes for a task that is gone, has no lock, is not active, or is another's. */
const DISOWNED: ReadonlySet<unknown> = new Set([-1, -2, -3, -6])

function isDisowned(error: unknown): boolean {
  return error instanceof Error && DISOWNED.has((error as Error & { code?: unknown }).code)
}
