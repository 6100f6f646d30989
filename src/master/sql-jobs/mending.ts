import type { Redis } from 'ioredis'
import type { BackoffPolicy } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { Loop } from '../../lib/loop.ts'
import type { Service } from '../../lib/service.ts'
import { runExtra } from '../../model/run-extra.ts'
import { isLive } from '../../queue/live-runs.ts'
import type { RunEnds } from '../../queue/run-ends.ts'
import type { DoingRow, RunIdentity, RunRows } from '../../store/run-rows.ts'

export interface MendingDeps {
  readonly rows: Pick<RunRows, 'doing' | 'end' | 'mend'>
  readonly ends: RunEnds
  readonly redis: Redis
  readonly clock: Clock
  readonly log: Logger
  readonly node: () => string
  /** The queues that runs may come from. */
  readonly taskKeys: () => readonly string[]
  /** Whether this node itself knows that the run is under way, whatever Redis says. */
  readonly runsHere: (run: RunIdentity) => boolean
}

/** How often all rows are looked at while some are doing, and while none are. */
const SWEEP_MS = 10_000
const IDLE_SWEEP_MS = 60_000
const RETRY: BackoffPolicy = { baseMs: 1000, factor: 1, capMs: 1000, jitter: 0 }
/**
 * Rows in Redis are rewritten each 10 s, in case they were lost: a run without a row and a lock
 * counts as dead only when it has been so for longer than that.
 */
const SURELY_DEAD_MS = 12_000
/** A younger row belongs to a run that is just beginning, here or elsewhere. */
const YOUNG_MS = 3000
/** How long a death is remembered while the database is away: a sweep finds its row after that. */
const REMEMBERED_MS = 60_000

/**
 * Ends rows of `execute_task` whose run died with its worker or its machine. At once where this node
 * knows of the death, otherwise in a slow sweep.
 */
export class Mending implements Service {
  readonly name = 'mending of rows'
  readonly #deps: MendingDeps
  readonly #loop: Loop
  /** Deaths that recovery has told of: `<worker> <task>` and when, by the monotonic clock. */
  readonly #deaths = new Map<string, number>()
  /** Rows whose run seems to be dead, and since when. */
  #suspects = new Map<number, number>()
  /** At the start there is no need to wait: recovery has just looked after all that was ours. */
  #first = true

  constructor(deps: MendingDeps) {
    this.#deps = deps
    const { clock, log } = deps
    this.#loop = new Loop({
      clock,
      round: async () => ((await this.#sweep()) > 0 ? SWEEP_MS : IDLE_SWEEP_MS),
      failed: error => {
        // The database or Redis is away, which others tell of.
        log.debug({ error: messageOf(error) }, 'rows of runs could not be looked at')
        return RETRY
      },
    })
  }

  start(): Promise<void> {
    this.#loop.start()
    return Promise.resolve()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /** Recovery has given back or buried a task whose worker had died. */
  died(workerId: string, taskId: string): void {
    this.#deaths.set(`${workerId} ${taskId}`, this.#deps.clock.monotonic())
    this.look()
  }

  /** There may be something. */
  look(): void {
    this.#loop.nudge()
  }

  /** @returns how many rows are doing */
  async #sweep(): Promise<number> {
    const { rows, ends, log, clock } = this.#deps
    const begun = clock.monotonic()
    const deaths = [...this.#deaths]
    const doing = await rows.doing()
    const dead: DeadRow[] = []
    for (const row of doing) {
      const run = identityOf(row)
      // Not ours: somebody else writes to this table, too.
      if (run && (await this.#isDead(row, run))) dead.push({ row, run })
    }
    this.#forgetAllBut(doing)
    // After the look at the runs: an end is put there before its run stops being live.
    const waiting = await ends.waiting(dead.map(one => one.row.id))
    const lost = dead.filter(one => !waiting.has(one.row.id))
    if (lost.length > 0) {
      await rows.end(
        lost.map(one => ({ id: one.row.id, status: 'fail', extra: lostExtra(one.run) })),
      )
      log.warn(
        { rows: lost.map(one => one.row.id), tasks: lost.map(one => one.run.unique_task_id) },
        'rows of execute_task were doing though their runs had died: ended as failed',
      )
    }
    await rows.mend()
    for (const [key, at] of deaths)
      if (this.#deaths.get(key) === at && at + REMEMBERED_MS < begun) this.#deaths.delete(key)
    this.#first = false
    return doing.length - lost.length
  }

  async #isDead(row: DoingRow, run: RunIdentity): Promise<boolean> {
    const { redis, taskKeys, runsHere, node, clock } = this.#deps
    const known = this.#deaths.has(`${run.worker_id} ${run.unique_task_id}`)
    if (row.ageMs < YOUNG_MS && !known) return false
    if (runsHere(run) || (await isLive(redis, taskKeys(), run))) {
      this.#suspects.delete(row.id)
      return false
    }
    if (known || (this.#first && run.node === node())) return true
    const now = clock.monotonic()
    const since = this.#suspects.get(row.id) ?? now
    this.#suspects.set(row.id, since)
    return now - since >= SURELY_DEAD_MS
  }

  #forgetAllBut(doing: readonly DoingRow[]): void {
    const ids = new Set(doing.map(row => row.id))
    this.#suspects = new Map([...this.#suspects].filter(([id]) => ids.has(id)))
  }
}

interface DeadRow {
  readonly row: DoingRow
  readonly run: RunIdentity
}

/** Undefined for a row that no taskd has begun. */
function identityOf({ extra }: DoingRow): RunIdentity | undefined {
  try {
    const { unique_task_id, attempt, worker_id, node } = JSON.parse(extra) as Partial<RunIdentity>
    const whole =
      typeof unique_task_id === 'string' &&
      typeof attempt === 'number' &&
      typeof worker_id === 'string' &&
      typeof node === 'string'
    return whole ? { unique_task_id, attempt, worker_id, node } : undefined
  } catch {
    return undefined
  }
}

function lostExtra(run: RunIdentity): string {
  const msg = 'lost: its worker or machine died while it ran'
  return runExtra({ code: 'fail', msg, data: [] }, { kind: 'lost', ...run })
}
