import type { Redis } from 'ioredis'
import { recordFailure } from '../failures/record.ts'
import { failRowOf } from '../failures/row.ts'
import { backoffDelay } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import { stringify } from '../lib/json-text.ts'
import type { RunEnded, WorkerInit } from '../model/ipc.ts'
import type { RunRecord } from '../model/run-record.ts'
import { type Answer, isReplaced, type RunResult } from '../model/run-result.ts'
import { sourceClaimOf } from '../model/source.ts'
import type { Task } from '../model/task.ts'
import type { Claim } from '../queue/consumer.ts'
import { recordVerdict } from '../queue/cron-store.ts'
import { DayCounts } from '../queue/day-counts.ts'
import type { EndedRun } from '../queue/run-history.ts'
import { type Scripts, writeAnyway } from '../queue/scripts.ts'
import { recordSourceVerdict } from '../queue/source-claims.ts'
import type { Exit } from './spawn.ts'

const RETRY = { baseMs: 100, factor: 2, capMs: 5000, jitter: 0.2 }

/** One run with its verdict, before the queue is told. */
export interface Verdict {
  readonly task: Task
  readonly result: RunResult
  readonly workerId: string
  readonly node: string
  readonly attempt: number
  readonly startedAt: number
  readonly endedAt: number
  /** No further run will follow. */
  readonly final: boolean
}

/** The settlement that the queue gets. */
export function settlementOf({ result, final }: Verdict) {
  const answer = bounded(result.answer)
  if (result.outcome === 'succ') return { type: 'done', answer } as const
  return { type: 'failed', answer, kind: result.kind, retry: !final } as const
}

export interface NoList extends Record<string, unknown> {
  readonly task: string
  readonly reply_to: string
  /** Of the key: `hash`. */
  readonly type: string
}

export const NO_LIST = 'the key in reply_to is no list: nobody gets the answer'

/** As they are now. */
export interface RecorderSettings {
  readonly resultKeepMs: number
  /** The time zone in which days are counted. */
  readonly timezone: string
}

/**
 * Writes down what a verdict means for everybody but the queue: the failure, the job's state,
 * the waiting caller. The queue is told only after this, so a KILL in between repeats the run
 * rather than losing its failure.
 */
export class Recorder {
  readonly #redis: Redis & Scripts
  readonly #clock: Clock
  readonly #settings: () => RecorderSettings
  readonly #onNoList: (what: NoList) => void
  readonly #counts: DayCounts

  /** @param onNoList called when an answer cannot be given: the key in `reply_to` is not a list */
  constructor(
    redis: Redis & Scripts,
    clock: Clock,
    settings: () => RecorderSettings,
    onNoList: (what: NoList) => void,
  ) {
    this.#onNoList = onNoList
    this.#redis = redis
    this.#clock = clock
    this.#settings = settings
    this.#counts = new DayCounts(redis, () => settings().timezone)
  }

  async record(verdict: Verdict): Promise<void> {
    const { task, result } = verdict
    const replaced = isReplaced({ kind: result.kind, msg: result.answer.msg })
    if (result.outcome !== 'succ' && !replaced)
      await this.#insist(() => recordFailure(this.#redis, failRowOf(verdict)))
    if (!verdict.final) return
    const succeeded = replaced ? undefined : result.outcome === 'succ'
    if (succeeded !== undefined) this.#counts.add(succeeded, verdict.endedAt)
    if (task.job !== '')
      await this.#insist(() =>
        recordVerdict(this.#redis, task.job, {
          id: task.id,
          code: result.answer.code,
          succeeded,
          at: verdict.endedAt,
        }),
      )
    const claim = sourceClaimOf(task.id)
    if (claim) {
      const succeeded = result.outcome === 'succ'
      const answer = stringify(bounded(result.answer))
      await this.#insist(() => recordSourceVerdict(this.#redis, claim, { succeeded, answer }))
    }
    if (task.replyTo !== undefined) await this.#reply(task.replyTo, verdict)
  }

  async #reply(list: string, verdict: Verdict): Promise<void> {
    const answer = { ...verdict.result.answer, unique_task_id: verdict.task.id }
    const type = await this.#redis.type(list).catch(() => '')
    // The caller's mistake is no reason to run the task again, and a foreign key must not expire.
    if (type !== 'list' && type !== 'none') {
      if (type !== '') this.#onNoList({ task: verdict.task.id, reply_to: list, type })
      return
    }
    await writeAnyway(this.#redis, [
      ['RPUSH', list, stringify(answer)],
      ['PEXPIRE', list, this.#settings().resultKeepMs],
    ]).catch(() => undefined)
  }

  #insist(write: () => Promise<void>): Promise<void> {
    return untilWritten(this.#clock, write)
  }
}

/** A full or vanished Redis is waited for: the task stays ours meanwhile. */
export async function untilWritten(clock: Clock, write: () => Promise<void>): Promise<void> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await write()
    } catch {
      await clock.sleep(backoffDelay(RETRY, failures, Math.random()))
    }
  }
}

/** The answer for the queue and the rows: no longer than what is kept of the output. */
export function bounded(answer: Answer): Answer {
  const text = stringify(answer)
  if (text.length <= 64 * 1024) return answer
  return { ...answer, data: [], msg: answer.msg.slice(0, 1000) }
}

function outcomeOf(told: Pick<EndedRun, 'outcome' | 'kind' | 'msg'>): RunRecord['outcome'] {
  return isReplaced(told) ? 'replaced' : told.outcome
}

/** A run as the history keeps it. */
export function endedRunOf(
  { task, attempt }: Claim,
  { workerId, node }: WorkerInit,
  startedAt: number,
  endedAt: number,
  { exitCode, signal, peakMemory, output }: Exit,
  verdict: Pick<EndedRun, 'outcome' | 'kind' | 'code' | 'msg'>,
): EndedRun {
  return {
    unique_task_id: task.id,
    job: task.job,
    task_key: task.taskKey,
    attempt,
    worker_id: workerId,
    node,
    startedAt,
    endedAt,
    ...verdict,
    outcome: outcomeOf(verdict),
    exit_code: exitCode,
    signal: signal ?? '',
    peak_memory: peakMemory,
    output,
  }
}

export type Reported = Pick<RunEnded, 'outcome' | 'kind' | 'code' | 'msg' | 'retryInMs'>

/** What the master is told of a run that has ended. */
export function endedMessage(
  { task, attempt }: Claim,
  durationMs: number,
  { msg, ...rest }: Reported,
): RunEnded {
  const { id, job } = task
  const span = Math.max(0, durationMs)
  const outcome = outcomeOf({ ...rest, msg })
  return {
    type: 'ended',
    id,
    job,
    attempt,
    durationMs: span,
    ...rest,
    outcome,
    msg: msg.slice(0, 500),
  }
}
