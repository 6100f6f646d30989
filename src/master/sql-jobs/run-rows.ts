import type { BackoffPolicy } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { Loop } from '../../lib/loop.ts'
import type { Service } from '../../lib/service.ts'
import { type Condition, Trouble } from '../../lib/trouble.ts'
import type { OpenRow } from '../../model/ipc.ts'
import type { RunEnds, WaitingEnd } from '../../queue/run-ends.ts'
import { failureOf, isUnanswered } from '../../store/failure.ts'
import type { RunIdentity, RunRows } from '../../store/run-rows.ts'
import type { WorkerProcess } from '../launch-worker.ts'

export interface RunRowsDeps {
  readonly rows: RunRows
  readonly ends: RunEnds
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
  /** The name of this node, once it has one. */
  readonly node: () => string
  /** A row was begun for a worker that is gone, so nobody may end it. */
  readonly onUnheard: () => void
}

export interface RunRowsStatus extends Condition {
  /** Ends that wait for the database, as of the last look; undefined before the first. */
  readonly waiting: number | undefined
}

const BATCH = 200
/** Ends by workers of other nodes are noticed this late, our own at once. */
const POLL_MS = 2000
const AWAY: BackoffPolicy = { baseMs: 500, factor: 2, capMs: 10_000, jitter: 0.2 }
/** While the database is away, one run at a time asks for it; the others are told so at once. */
const ASK_AGAIN_MS = 1000

/**
 * The master's side of `execute_task`: begins a row when a worker asks for one, and takes the ends
 * from Redis to SQL. Every step may be repeated, so it does not matter which master does it.
 */
export class RunRowKeeper implements Service {
  readonly name = 'rows of runs'
  readonly #deps: RunRowsDeps
  readonly #trouble: Trouble
  readonly #loop: Loop
  #waiting: number | undefined
  /** Whether the trouble is a missing answer, not an error of the database. */
  #unanswered = false
  #askAgainAt = 0
  #asking = 0
  #pass: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(deps: RunRowsDeps) {
    this.#deps = deps
    const { clock, random, log } = deps
    this.#loop = new Loop({
      clock,
      random,
      round: async () => {
        await this.#flush()
        return POLL_MS
      },
      failed: () => AWAY,
    })
    this.#trouble = new Trouble(clock, {
      began: error =>
        log.warn(
          { error: messageOf(error) },
          'execute_task cannot be written: functions wait, and what has ended waits in Redis',
        ),
      ended: away_s => log.info({ away_s }, 'execute_task can be written again'),
    })
  }

  start(): Promise<void> {
    this.#loop.start()
    return Promise.resolve()
  }

  /** Tries once more, so that rows of ended runs do not stay `doing` until the next start. */
  async stop(): Promise<void> {
    if (!this.#loop.running) return
    await this.#loop.stop()
    if (this.#trouble.ok) await this.#flush().catch(() => undefined)
  }

  status(): RunRowsStatus {
    return { ...this.#trouble.condition, waiting: this.#waiting }
  }

  /** A run has ended: there may be something to take. */
  nudge(): void {
    this.#loop.nudge()
  }

  /** Answers a worker that wants a row for its run. Never throws. */
  async open(workerId: string, ask: OpenRow, worker: WorkerProcess | undefined): Promise<void> {
    const row = await this.#begin(workerId, ask).then(
      value => ({ ok: true, value }) as const,
      (error: unknown) => ({ ok: false, reason: messageOf(error) }) as const,
    )
    const heard = worker?.post({ type: 'row', ask: ask.ask, row }) ?? false
    if (row.ok && !heard) this.#deps.onUnheard()
  }

  async #begin(worker_id: string, { rowId, id, attempt }: OpenRow): Promise<number> {
    const { clock, node } = this.#deps
    const identity = { unique_task_id: id, attempt, worker_id, node: node() }
    const early = this.#asking > 0 || clock.monotonic() < this.#askAgainAt
    if (!this.#trouble.ok && early) throw new Error(this.#trouble.condition.error)
    this.#askAgainAt = clock.monotonic() + ASK_AGAIN_MS
    this.#asking += 1
    try {
      return await this.#insert(identity, rowId)
    } finally {
      this.#asking -= 1
    }
  }

  async #insert(identity: RunIdentity, rowId: number): Promise<number> {
    const { rows, ends } = this.#deps
    // An attempt that was given back is made again, and its old row must have ended before that.
    if ((await ends.count()) > 0) await this.#flush()
    try {
      const row = await rows.begin(rowId, identity)
      this.#trouble.clear()
      return row
    } catch (error) {
      this.#note(error)
      throw error
    }
  }

  #note(error: unknown): void {
    this.#unanswered = isUnanswered(error)
    this.#trouble.note(error)
  }

  /** One pass at a time; those who ask meanwhile share the one that comes after it. */
  #flush(): Promise<void> {
    this.#next ??= this.#pass
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        this.#pass = this.#applyAll()
        return this.#pass
      })
    return this.#next
  }

  async #applyAll(): Promise<void> {
    const { ends } = this.#deps
    for (;;) {
      // Redis away says nothing about the database, and others tell of it.
      this.#waiting = await ends.count()
      const found = this.#waiting === 0 ? [] : await ends.read(BATCH)
      if (found.length === 0) return this.#askAgain()
      await this.#apply(found)
      await ends.remove(found.map(one => one.id))
    }
  }

  /** Another node may have written all there was: then no write of ours tells that the database is back. */
  async #askAgain(): Promise<void> {
    if (this.#trouble.ok || !this.#unanswered) return
    try {
      await this.#deps.rows.history({ limit: 1 })
      this.#trouble.clear()
    } catch (error) {
      this.#note(error)
      throw error
    }
  }

  async #apply(found: readonly WaitingEnd[]): Promise<void> {
    const { rows } = this.#deps
    try {
      await rows.end(found)
      this.#trouble.clear()
    } catch (error) {
      if (failureOf(error) !== 'refused') {
        this.#note(error)
        throw error
      }
      for (const end of found) await this.#applyOne(end)
    }
  }

  /** A refused `extra` must not hold up the rest: the row is ended without it. */
  async #applyOne(end: WaitingEnd): Promise<void> {
    const { rows, log } = this.#deps
    try {
      await rows.end([end])
    } catch (error) {
      if (failureOf(error) !== 'refused') throw error
      const why = { id: end.id, error: messageOf(error) }
      log.error(why, 'execute_task refuses the answer of a run: its row ends without it')
      const answer = { code: '', msg: 'the database refused the answer', data: [] }
      await rows.end([{ ...end, extra: JSON.stringify(answer) }]).catch((again: unknown) => {
        if (failureOf(again) !== 'refused') throw again
      })
    }
  }
}
