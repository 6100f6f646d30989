import type { Redis } from 'ioredis'
import { type BackoffPolicy, backoffDelay } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import type { Parsed } from '../lib/parsed.ts'
import type { FromWorker, ToWorker, WorkerInit } from '../model/ipc.ts'
import { type RunDetails, runExtra } from '../model/run-extra.ts'
import type { Answer } from '../model/run-result.ts'
import type { Claim } from '../queue/consumer.ts'
import { RunEnds, type WaitingEnd } from '../queue/run-ends.ts'
import { untilWritten } from './settle.ts'

export interface RowsDeps {
  readonly init: Pick<WorkerInit, 'workerId' | 'node'>
  readonly redis: Redis
  readonly clock: Clock
  readonly send: (message: FromWorker) => void
}

/** The master normally answers much sooner: it knows when the database is away. */
const ANSWER_MS = 5000
/** How long a claim is given back for while no rows can be had. */
const AWAY: BackoffPolicy = { baseMs: 1000, factor: 2, capMs: 15_000, jitter: 0.2 }

const MASTER_GONE = 'the master does not answer'

/**
 * The rows of `execute_task` of this worker's runs. Before a run the master is asked for one; how
 * it ended is written to Redis before the queue is told, and a master takes it to SQL from there.
 */
export class Rows {
  readonly #deps: RowsDeps
  readonly #ends: RunEnds
  readonly #asked = new Map<number, (row: Parsed<number>) => void>()
  /** Rows with the status `doing`, by task. */
  readonly #open = new Map<string, number>()
  #asks = 0
  #failures = 0

  constructor(deps: RowsDeps) {
    this.#deps = deps
    this.#ends = new RunEnds(deps.redis)
  }

  /** The row of a run that is about to begin. It never rejects; `signal` makes it give up. */
  async open({ task, attempt }: Claim, signal: AbortSignal): Promise<Parsed<number>> {
    this.#asks += 1
    const ask = this.#asks
    const row = await new Promise<Parsed<number>>(resolve => {
      const gone = () => resolve({ ok: false, reason: MASTER_GONE })
      const timer = this.#deps.clock.setTimer(ANSWER_MS, gone)
      signal.addEventListener('abort', gone, { once: true })
      this.#asked.set(ask, answer => {
        timer.cancel()
        signal.removeEventListener('abort', gone)
        resolve(answer)
      })
      if (signal.aborted) return gone()
      this.#deps.send({ type: 'open-row', ask, rowId: task.rowId ?? 0, id: task.id, attempt })
    })
    this.#asked.delete(ask)
    if (row.ok) this.#open.set(task.id, row.value)
    this.#failures = row.ok ? 0 : this.#failures + 1
    return row
  }

  /** How long a claim without a row is delayed, ms; longer each time, until there is a row again. */
  get retryInMs(): number {
    return backoffDelay(AWAY, Math.max(1, this.#failures), Math.random())
  }

  /** The master's answer. When it comes too late, the next try of this attempt gets that row. */
  hear({ ask, row }: ToWorker & { readonly type: 'row' }): void {
    this.#asked.get(ask)?.(row)
  }

  /** Another worker has the task by now, and the row is ended by whoever took it. */
  forget(taskId: string): void {
    this.#open.delete(taskId)
  }

  /** How the row of a run is to end; undefined for one that has none. */
  endOf(
    { task, attempt }: Claim,
    succeeded: boolean,
    answer: Answer,
    details: Pick<RunDetails, 'kind' | 'duration_ms'>,
  ): WaitingEnd | undefined {
    const id = this.#open.get(task.id)
    if (id === undefined) return undefined
    const { workerId, node } = this.#deps.init
    const run = { unique_task_id: task.id, attempt, worker_id: workerId, node }
    return {
      id,
      status: succeeded ? 'succ' : 'fail',
      extra: runExtra(answer, { ...details, ...run }),
    }
  }

  /** Resolves once the end of a run is safe; at once for one that has no row. */
  async ended(...run: Parameters<Rows['endOf']>): Promise<void> {
    const end = this.endOf(...run)
    if (end === undefined) return
    await untilWritten(this.#deps.clock, () => this.#ends.put(end))
    this.#open.delete(run[0].task.id)
  }
}
