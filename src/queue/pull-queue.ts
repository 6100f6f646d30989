import type { Redis } from 'ioredis'
import {
  type Claimed,
  type DeadTask,
  type KeptDead,
  MAX_PULL_BATCH,
  type PullCounts,
  type PullReport,
  type PullStore,
  type PullTask,
  type Pushed,
  type ReportAnswer,
  type Reported,
  type Reports,
} from '../model/pull.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import { PULL_CLAIM_MS, type PullKeys, pullClaim, pullKeys } from './keys.ts'
import { toPushAnswer, toReportAnswer } from './pull-answers.ts'
import { deathsOf } from './pull-deaths.ts'
import { inChunks, inTurn } from './pull-parts.ts'
import type { Scripts } from './scripts.ts'

/** The most items in one script call, so that Redis serves others in between. */
const CHUNK = 500
const CHUNK_BYTES = 4 << 20
/** The most bytes in one claim: a task may have a megabyte. */
const CLAIM_BYTES = 16 << 20
/** How many dead tasks are kept for inspection; all of them have been handed over. */
const KEPT_DEAD = 100_000
/** Deaths handed over at once; each may hold a megabyte. */
const DEATHS = 16

/** Characters of a report's `msg` that are kept. */
const MAX_MSG = 2000

export interface PullQueueDeps {
  /**
   * Claims take a client that fails fast: one that sends a claim without a name again after a
   * broken connection would lease twice and answer once.
   */
  readonly redis: Redis & Scripts
  readonly spec: QueueSpec
  /** Wall time, ms. */
  readonly now: () => number
}

export interface PushOptions {
  /** To the front. */
  readonly promote?: boolean
  /** Even when Redis has no memory to spare: for tasks that are in it already, in a plain list. */
  readonly anyway?: boolean
}

/** What became of tasks whose lease was over. */
export interface ExpiredLeases {
  readonly requeued: number
  readonly dead: number
}

/**
 * The tasks of one pull queue. It keeps nothing in memory, so any number of nodes may have one
 * each: every move is a script, and large batches are several.
 */
export class PullQueue implements PullStore {
  readonly #redis: Redis & Scripts
  readonly #spec: QueueSpec
  readonly #now: () => number
  readonly #keys: PullKeys
  /** In the order in which the scripts want them. */
  readonly #all: readonly string[]

  constructor({ redis, spec, now }: PullQueueDeps) {
    this.#redis = redis
    this.#spec = spec
    this.#now = now
    this.#keys = pullKeys(spec.taskKey)
    this.#all = Object.values(this.#keys)
  }

  async push(
    tasks: readonly PullTask[],
    { promote = false, anyway = false }: PushOptions = {},
  ): Promise<Pushed> {
    let letters = ''
    let room = 0
    let place = ''
    for (const chunk of inChunks(tasks, CHUNK, CHUNK_BYTES, task => task.content.length)) {
      const rest = promote ? tasks.length - letters.length : ''
      const pairs = chunk.flatMap(task => [task.id, task.content])
      const limits = [this.#now(), this.#spec.capacity, rest, place, anyway ? 1 : 0]
      const reply = await this.#redis.pullPush(...this.#all, ...limits, ...pairs)
      letters += reply[0]
      room = reply[1]
      if (promote) place = reply[2]
    }
    const answers = tasks.map((task, n) => toPushAnswer(task.id, letters[n]))
    return { answers, accepted: answers.filter(one => one.answer === 'accepted').length, room }
  }

  async claim(count: number, worker = '', claimId = ''): Promise<Claimed[]> {
    const claimed: Claimed[] = []
    const keys = [...this.#all, pullClaim(this.#spec.taskKey, worker, claimId)]
    const keptMs = claimId === '' ? 0 : PULL_CLAIM_MS
    const wanted = Math.min(count, MAX_PULL_BATCH)
    let bytes = CLAIM_BYTES
    let had = 0
    // There may be a list of an earlier answer; all of it belongs to the claimer.
    let listed = claimId === '' ? 0 : 1
    while (had < listed || (claimed.length < wanted && bytes > 0)) {
      const now = this.#now()
      const leaseUntil = now + this.#spec.leaseMs
      const part = Math.max(0, Math.min(CHUNK, wanted - claimed.length))
      const most = Math.max(1, Math.min(bytes, CHUNK_BYTES))
      const limits = [now, leaseUntil, part, most, worker, keptMs, had]
      const reply = await this.#redis.pullClaim(...keys, ...limits).catch((error: unknown) => {
        // What was leased so far must reach the claimer, who will not ask for it again.
        if (claimed.length > 0 && keptMs === 0) return undefined
        throw error
      })
      if (reply === undefined) break
      const [seen, length, ...items] = reply
      if (items.length === 0 && seen === had) break
      had = seen
      listed = length
      for (let n = 0; n < items.length; n += 3) {
        const [id = '', attempt = '', content = ''] = items.slice(n, n + 3)
        claimed.push({ id, attempt: Number(attempt), content, leaseUntil })
        bytes -= content.length
      }
    }
    return claimed
  }

  async report({ finish = [], failed = [] }: Reports): Promise<Reported> {
    return { finish: await this.#finish(finish), failed: await this.#end('failed', failed) }
  }

  async giveBack(tasks: readonly PullReport[]): Promise<ReportAnswer[]> {
    const answers = await this.#end('returned', tasks)
    return answers.map(one => (one.answer === 'requeued' ? { ...one, answer: 'returned' } : one))
  }

  async counts(): Promise<PullCounts> {
    const [todo = 0, doing = 0, finish = 0, failed = 0, oldest = -1, finishedTotal = 0, dead = 0] =
      await this.#redis.pullCounts(...this.#all)
    const oldestMs = oldest < 0 ? 0 : Math.max(0, this.#now() - oldest)
    return { todo, doing, finish, failed, oldestMs, finishedTotal, deadTotal: dead }
  }

  async dead(limit: number): Promise<KeptDead[]> {
    const found = await this.#redis.zrevrange(this.#keys.failed, 0, limit - 1, 'WITHSCORES')
    const ids = found.filter((_, n) => n % 2 === 0)
    const diedAt = new Map(ids.map((id, n) => [id, Number(found[2 * n + 1])]))
    const tasks = await this.#tasks(ids)
    return tasks.map(task => ({ ...task, diedAt: diedAt.get(task.id) ?? 0 }))
  }

  async retryDead(ids: readonly string[]): Promise<Pushed> {
    const died = ids.length === 0 ? [] : await this.#redis.zmscore(this.#keys.failed, ...ids)
    return this.push(await this.#tasks(ids.filter((_, n) => typeof died[n] === 'string')))
  }

  /**
   * Puts tasks that were not reported in time back in front, however often that happens, up to
   * `max_leases`. Takes one small command when there are none.
   */
  async expire(): Promise<ExpiredLeases> {
    const sum = { requeued: 0, dead: 0 }
    for (;;) {
      const due = await this.#redis.zrangebyscore(
        this.#keys.doing,
        '-inf',
        this.#now(),
        'LIMIT',
        0,
        CHUNK,
      )
      const answers = await this.#end(
        'lease',
        due.map(id => ({ id })),
      )
      const requeued = answers.filter(one => one.answer === 'requeued').length
      const dead = answers.filter(one => one.answer === 'dead').length
      sum.requeued += requeued
      sum.dead += dead
      // Another node does the same: it is at work on the rest.
      if (due.length < CHUNK || requeued + dead === 0) return sum
    }
  }

  /**
   * Reports each death, oldest first, and forgets it once that has succeeded. After a KILL in between it is
   * reported again, and two nodes may report the same one. Takes one small command when there is none.
   * @returns how many were reported
   */
  async handOverDead(onDead: (dead: readonly DeadTask[]) => Promise<void>): Promise<number> {
    const { died } = this.#keys
    for (let sum = 0; ; ) {
      const entries = await this.#redis.xrange(died, '-', '+', 'COUNT', DEATHS)
      if (entries.length === 0) return sum
      await onDead(deathsOf(entries))
      await this.#redis.xdel(died, ...entries.map(([id]) => id))
      sum += entries.length
    }
  }

  /** The tasks of these ids that still exist. */
  async #tasks(ids: readonly string[]): Promise<PullTask[]> {
    if (ids.length === 0) return []
    const contents = await this.#redis.hmget(this.#keys.tasks, ...ids)
    return ids.flatMap((id, n) => {
      const content = contents[n]
      return typeof content === 'string' ? [{ id, content }] : []
    })
  }

  async #finish(reports: readonly PullReport[]): Promise<ReportAnswer[]> {
    let letters = ''
    for (const chunk of inChunks(reports, CHUNK)) {
      const pairs = chunk.flatMap(one => [one.id, one.attempt ?? ''])
      const limits = [this.#now(), this.#spec.finishKeep]
      letters += await this.#redis.pullFinish(...this.#all, ...limits, ...pairs)
    }
    return reports.map((one, n) => toReportAnswer(one.id, letters[n]))
  }

  async #end(
    why: 'failed' | 'lease' | 'returned',
    reports: readonly PullReport[],
  ): Promise<ReportAnswer[]> {
    const tries = Math.max(1, this.#spec.retries)
    const letters = await inTurn(reports, CHUNK, async chunk => {
      const triples = chunk.flatMap(one => [
        one.id,
        one.attempt ?? '',
        one.msg?.slice(0, MAX_MSG) ?? '',
      ])
      const { maxLeases } = this.#spec
      const limits = [this.#now(), why, tries, KEPT_DEAD, CHUNK_BYTES, maxLeases]
      return this.#redis.pullEnd(...this.#all, ...limits, ...triples)
    })
    return reports.map((one, n) => toReportAnswer(one.id, letters[n]))
  }
}
