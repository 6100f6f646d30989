import type { Redis } from 'ioredis'
import type { CronState } from '../model/cron-state.ts'
import { cronState } from './keys.ts'
import type { Scripts } from './scripts.ts'

/** The hashes `Task:Cron:<job>`. */
export class CronStore {
  readonly #redis: Redis & Scripts

  constructor(redis: Redis & Scripts) {
    this.#redis = redis
  }

  async read(job: string): Promise<CronState> {
    return toState(await this.#redis.hgetall(cronState(job)))
  }

  async readMany(jobs: readonly string[]): Promise<CronState[]> {
    return Promise.all(jobs.map(job => this.read(job)))
  }

  /** Moves the cursor forward; false when another node had done this tick, or era is over. */
  async advance(job: string, tick: number, taskId: string, era: number): Promise<boolean> {
    return (await this.#redis.advanceCursor(cronState(job), tick, taskId, era)) === 1
  }

  /** Sets the cursor by hand, back or forward; a tick that is being dealt with moves it no more. */
  async setCursor(job: string, cursor: number, spec: string): Promise<void> {
    const key = cronState(job)
    const moves = this.#redis.multi().hset(key, { cursor: String(cursor), spec })
    const replies = await moves.hincrby(key, 'era', 1).exec()
    const failed = replies?.find(([error]) => error !== null)
    if (failed?.[0]) throw failed[0]
  }

  /** Begins anew at an instant: a new job, a changed schedule, a corrected clock. */
  async reset(job: string, cursor: number, spec: string): Promise<void> {
    await this.#redis.hset(cronState(job), { cursor: String(cursor), spec })
  }

  /** The job makes no ticks for now: when it does again, it has missed nothing. */
  async clearCursor(job: string): Promise<void> {
    await this.#redis.hdel(cronState(job), 'cursor', 'spec')
  }

  /** The job is no more. */
  async remove(job: string): Promise<void> {
    await this.#redis.del(cronState(job))
  }

  /**
   * Passes over the ticks of a pause that ends now. A node that is late, or that Redis kept waiting,
   * would come to them after the pause, and make up for them.
   */
  async passPaused(job: string, now: number): Promise<void> {
    const { paused, cursor, era } = await this.read(job)
    if (paused !== '' && cursor !== undefined) await this.advance(job, now, '', era)
  }

  /** @param why '' resumes, and forgets the failures that led to the pause */
  async setPaused(job: string, why: string): Promise<void> {
    const key = cronState(job)
    if (why === '') await this.#redis.hset(key, { paused: '', failures: '0' })
    else await this.#redis.hset(key, { paused: why })
  }

  /** The boot of this node for which the job, an `@reboot` one, has run; '' for none. */
  async bootOf(job: string, node: string): Promise<string> {
    return (await this.#redis.hget(cronState(job), `boot:${node}`)) ?? ''
  }

  async setBoot(job: string, node: string, boot: string): Promise<void> {
    await this.#redis.hset(cronState(job), `boot:${node}`, boot)
  }
}

function toState(fields: Readonly<Record<string, string>>): CronState {
  const number = (name: string) => {
    const text = fields[name]
    return text === undefined || text === '' ? undefined : Number(text)
  }
  return {
    cursor: number('cursor'),
    era: number('era') ?? 0,
    spec: fields['spec'] ?? '',
    lastId: fields['last_id'] ?? '',
    lastAt: number('last_at'),
    lastCode: fields['last_code'] ?? '',
    failures: number('failures') ?? 0,
    paused: fields['paused'] ?? '',
  }
}
