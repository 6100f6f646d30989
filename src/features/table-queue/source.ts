import type { BackoffPolicy } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import { codeOf, messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { Loop } from '../../lib/loop.ts'
import type { Service } from '../../lib/service.ts'
import { Trouble } from '../../lib/trouble.ts'
import type { QueueSpec } from '../../model/queue-spec.ts'
import { type SourceSpec, sourceTaskId } from '../../model/source.ts'
import type { Task } from '../../model/task.ts'
import type { FailFast } from '../../queue/connection.ts'
import type { SourceClaims } from '../../queue/source-claims.ts'
import type { TaskQueues } from '../../queue/task-queues.ts'
import { failureOf } from '../../store/failure.ts'
import { ofRedis, RedisError } from './of-redis.ts'
import { taskOfRow } from './row-task.ts'
import type { SourceStatus } from './status.ts'
import type { ReadyRow, SourceTable } from './table.ts'
import { WriteBack } from './write-back.ts'

export interface SourceDeps {
  readonly spec: SourceSpec
  readonly table: SourceTable
  readonly claims: SourceClaims
  /** Rows are locked meanwhile. */
  readonly queues: FailFast<Pick<TaskQueues, 'add' | 'counts'>>
  /** Its queue as it is configured now. */
  readonly queue: () => QueueSpec | undefined
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly log: Logger
}

const AWAY: BackoffPolicy = { baseMs: 500, factor: 2, capMs: 15_000, jitter: 0.3 }
const BUSY: BackoffPolicy = { baseMs: 50, factor: 2, capMs: 1000, jitter: 0.5 }
const REDIS_AWAY: BackoffPolicy = { baseMs: 200, factor: 2, capMs: 2000, jitter: 0.3 }
/** Tasks that are sent to Redis at once. */
const PART = 500
/** So that nodes do not all poll one table at the same moment. */
const POLL_JITTER = 0.1

/**
 * One table queue:
 *
 *     read rows that are ready, locked -> open claims in Redis -> enqueue -> mark them taken
 *
 * The task's id is made of the row and its claim, and the claim stays the same until the verdict
 * is in the table: so a kill anywhere in between repeats what was done and doubles nothing.
 */
export class TableSource implements Service {
  readonly name: string
  readonly spec: SourceSpec
  readonly #deps: SourceDeps
  readonly #trouble: Trouble
  readonly #writeBack: WriteBack
  readonly #claiming: Loop
  #taken = 0
  #bad = 0
  #full = false

  constructor(deps: SourceDeps) {
    const { spec, clock, random, log } = deps
    this.name = `source ${spec.name}`
    this.spec = spec
    this.#deps = deps
    this.#trouble = new Trouble(clock, {
      began: error => {
        const what = { source: spec.name, error: messageOf(error), code: codeOf(error) }
        log.warn(what, 'a table queue fails: its rows wait in their table')
      },
      ended: away_s => log.info({ source: spec.name, away_s }, 'a table queue works again'),
    })
    this.#claiming = new Loop({
      clock,
      random,
      round: async () => {
        const more = await this.#turn()
        this.#trouble.clear()
        return more ? 0 : spec.pollMs * (1 + POLL_JITTER * (2 * random() - 1))
      },
      failed: error => this.#policyFor(error),
    })
    this.#writeBack = new WriteBack(deps)
  }

  /** Writes verdicts; rows are taken only after `take`. Never waits for the database. */
  start(): Promise<void> {
    this.#writeBack.start()
    return Promise.resolve()
  }

  /** Begins to take rows. */
  take(): void {
    this.#claiming.start()
  }

  /** Takes no more rows; verdicts are still written. */
  hold(): Promise<void> {
    return this.#claiming.stop()
  }

  async stop(): Promise<void> {
    await this.hold()
    await this.#writeBack.stop()
    await this.#deps.table.close()
  }

  /** A task of it is over. */
  nudge(): void {
    this.#writeBack.nudge()
  }

  async status(): Promise<SourceStatus> {
    const { spec } = this
    const counts = await this.#deps.claims.counts().catch(() => undefined)
    return {
      name: spec.name,
      table: spec.table,
      database: this.#deps.table.address,
      task_key: spec.task.taskKey,
      ...(this.#trouble.ok ? this.#writeBack.condition : this.#trouble.condition),
      full: counts ? this.#full : null,
      open: counts?.open ?? null,
      backlog: counts?.backlog ?? null,
      taken: this.#taken,
      bad: this.#bad,
      written: this.#writeBack.written,
    }
  }

  /** Neither an outage of Redis nor a deadlock is a trouble of the table. */
  #policyFor(error: unknown): BackoffPolicy {
    if (error instanceof RedisError) return REDIS_AWAY
    if (failureOf(error) === 'busy') return BUSY
    this.#trouble.note(error)
    return AWAY
  }

  /** @returns whether there may be more to take at once */
  async #turn(): Promise<boolean> {
    const { table, queues, queue } = this.#deps
    if (!(await table.hasReady())) {
      this.#full = false
      return false
    }
    const spec = queue()
    if (spec === undefined) return false
    const { waiting } = await ofRedis(queues.counts(spec.taskKey))
    const room = spec.capacity - waiting
    this.#full = room <= 0
    if (this.#full) return false
    const bad = new Map<string, string>()
    const limit = Math.min(this.spec.batch, room)
    const { marked } = await table.claim(limit, rows => this.#enqueue(rows, bad))
    const refused = await this.#refuse(bad)
    // Rows that cannot be marked come up again: not at once.
    return marked + bad.size - refused > 0
  }

  /** @returns the rows that are tasks now @param bad gets those that cannot be, and why */
  async #enqueue(rows: readonly ReadyRow[], bad: Map<string, string>): Promise<string[]> {
    const { claims, queues } = this.#deps
    const good: { readonly row: string; readonly task: Omit<Task, 'id'> }[] = []
    for (const row of rows) {
      const task = taskOfRow(this.spec, row)
      if (task.ok) good.push({ row: row.id, task: task.value })
      else bad.set(row.id, task.reason)
    }
    const ids = good.map(one => one.row)
    const taken = await ofRedis(claims.take(ids))
    const tasks = good.flatMap(({ row, task }, n): Task[] => {
      const { claim, over } = taken[n] ?? { claim: '', over: true }
      if (over) return []
      return [{ ...task, id: sourceTaskId({ source: this.spec.name, row, claim }) }]
    })
    for (let from = 0; from < tasks.length; from += PART)
      await ofRedis(queues.add(this.spec.task.taskKey, tasks.slice(from, from + PART)))
    this.#taken += tasks.length
    return ids
  }

  /** @returns how many could not be marked */
  async #refuse(bad: ReadonlyMap<string, string>): Promise<number> {
    if (bad.size === 0) return 0
    const { table, log } = this.#deps
    const { name, ready, failed } = this.spec
    const entries = [...bad]
    const verdicts = entries.map(([row, reason]) => {
      const answer = JSON.stringify({ code: 'fail', msg: `not a task: ${reason}`, data: [] })
      return { row, from: [ready], to: failed, answer }
    })
    const refused = await table.write(verdicts)
    this.#bad += bad.size - refused.size
    const [row, reason] = entries[0] ?? []
    const what = { source: name, rows: bad.size, row, reason: reason?.slice(0, 200) }
    log.warn(what, 'rows that are no tasks were marked as failed')
    return refused.size
  }
}
