import type { Redis } from 'ioredis'
import { TaskdError } from '../lib/errors.ts'
import type { PullTask, Pushed } from '../model/pull.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import { pullKeys } from './keys.ts'
import { PullQueue, type PushOptions } from './pull-queue.ts'
import type { Scripts } from './scripts.ts'
import type { Progress } from './task-queues.ts'

/** `open`: it waits or somebody has claimed it. `unknown` also when it finished long ago. */
export type PullPlace = 'open' | 'finished' | 'dead' | 'unknown'

/**
 * Adds tasks to a pull queue from plain lists, the schedule and the command line. Here the same id
 * twice is one task, even when the first is over, for as long as that is remembered: so a batch may
 * be sent again after a crash, and two nodes may send one tick.
 */
export class PullFeed {
  readonly #redis: Redis & Scripts
  readonly #now: () => number

  /** @param now wall time, ms */
  constructor(redis: Redis & Scripts, now: () => number) {
    this.#redis = redis
    this.#now = now
  }

  /**
   * @param options `anyway`: see PushOptions
   * @throws TaskdError E_FULL when not all have found room; those that did have been added
   */
  async addOnce(
    spec: QueueSpec,
    tasks: readonly PullTask[],
    options: Pick<PushOptions, 'anyway'> = {},
  ): Promise<void> {
    if (tasks.length === 0) return
    const places = await this.places(
      spec.taskKey,
      tasks.map(task => task.id),
    )
    const fresh = tasks.filter((_, n) => places[n] === 'unknown')
    const pushed = await this.#queue(spec).push(fresh, options)
    if (isFull(pushed)) throw fullError(spec)
  }

  async places(taskKey: string, ids: readonly string[]): Promise<PullPlace[]> {
    if (ids.length === 0) return []
    const { todo, doing, finish, failed } = pullKeys(taskKey)
    const looks = this.#redis.pipeline()
    for (const key of [todo, doing, finish, failed]) looks.zmscore(key, ...ids)
    const replies = ((await looks.exec()) ?? []).map(([error, scores]) => {
      if (error) throw error
      return scores as (string | null)[]
    })
    const has = (part: number, n: number) => typeof replies[part]?.[n] === 'string'
    return ids.map((_, n) => {
      if (has(0, n) || has(1, n)) return 'open'
      if (has(2, n)) return 'finished'
      return has(3, n) ? 'dead' : 'unknown'
    })
  }

  async isOpen(taskKey: string, id: string): Promise<boolean> {
    const [place] = await this.places(taskKey, [id])
    return place === 'open'
  }

  /** How far a task is. A claimed one counts as running: more is not known here. */
  async progress(taskKey: string, id: string): Promise<Progress> {
    const [place = 'unknown'] = await this.places(taskKey, [id])
    switch (place) {
      case 'open': {
        const { doing, runs } = pullKeys(taskKey)
        if ((await this.#redis.zscore(doing, id)) === null) return { state: 'waiting' }
        const claimed = (await this.#redis.hget(runs, id))?.split(' ')[3]
        return { state: 'running', since: Number(claimed ?? 0) || undefined }
      }
      case 'finished':
        return { state: 'ended', code: 'succ' }
      case 'dead':
        return { state: 'ended', code: 'fail' }
      case 'unknown':
        return { state: 'unknown' }
    }
  }

  /** How many tasks wait. */
  waiting(taskKey: string): Promise<number> {
    return this.#redis.zcard(pullKeys(taskKey).todo)
  }

  #queue(spec: QueueSpec): PullQueue {
    return new PullQueue({ redis: this.#redis, spec, now: this.#now })
  }
}

export function isFull({ answers }: Pushed): boolean {
  return answers.some(one => one.answer === 'full')
}

export function fullError({ taskKey, capacity }: QueueSpec): TaskdError {
  return new TaskdError(
    'E_FULL',
    `queue ${taskKey} is full: ${capacity} tasks wait`,
    'push again later, or raise capacity in its [queue:] section',
  )
}
