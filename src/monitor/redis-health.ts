import type { Clock } from '../lib/clock.ts'
import { Loop } from '../lib/loop.ts'
import type { Service } from '../lib/service.ts'
import type { Events } from '../model/events.ts'
import { isFull, memoryText, type RedisMemory } from '../model/redis-memory.ts'
import type { FailFast } from '../queue/connection.ts'
import { lookAtRedis, type RedisLook, wordsFor } from './redis-servers.ts'

const CHECK_MS = 1000
/** While Redis does not answer, it is asked this often, so that its return is noticed at once. */
const AWAY_CHECK_MS = 50

/** A Redis that was full is well again below this share, so that the state does not flicker. */
const WELL_AGAIN = 0.9

export interface RedisHealthStatus {
  /** It answers and accepts writes. */
  readonly ok: boolean
  /** It can be asked; true for a full one as well. */
  readonly answers: boolean
  /** It has no memory to spare, and refuses what may add. */
  readonly full: boolean
  /** Where there is a limit; as of the last answer. */
  readonly memory: RedisMemory | undefined
  readonly error: string
  /** Since when it is well, full or away, ms. */
  readonly since: number
  readonly version: string
  /** Where the masters are, when the address names sentinels or a cluster: `host:port`. */
  readonly servers: readonly string[]
}

/** Asks Redis each second whether it answers. */
export class RedisHealth implements Service {
  readonly name = 'redis health'
  readonly #redis: FailFast
  readonly #clock: Clock
  readonly #events: Events
  #status: RedisHealthStatus
  #wasFull = false
  readonly #loop: Loop

  constructor(redis: FailFast, clock: Clock, events: Events) {
    this.#redis = redis
    this.#clock = clock
    this.#events = events
    this.#loop = new Loop({
      clock,
      round: async () => {
        await this.#check()
        return this.#status.ok ? CHECK_MS : AWAY_CHECK_MS
      },
    })
    this.#status = {
      ok: false,
      answers: false,
      full: false,
      memory: undefined,
      error: 'not asked yet',
      since: clock.now(),
      version: '',
      servers: [],
    }
  }

  get status(): RedisHealthStatus {
    return this.#status
  }

  async start(): Promise<void> {
    if (this.#loop.running) return
    this.#redis.connect().catch(() => undefined)
    this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #check(): Promise<void> {
    try {
      const look = await lookAtRedis(this.#redis)
      this.#set(look, this.#status.version || (await this.#version()))
    } catch (error) {
      this.#set({ ...this.#status, problem: wordsFor(error) }, '')
    }
  }

  async #version(): Promise<string> {
    return /redis_version:(\S+)/.exec(await this.#redis.info('server'))?.[1] ?? ''
  }

  #set({ problem, memory, servers }: RedisLook, version: string): void {
    const before = this.#status
    const answers = problem === ''
    // An outage does not change that: no answer does not mean that there is room.
    if (answers) this.#wasFull = this.#isFull(memory)
    const full = answers && this.#wasFull
    const ok = answers && !full
    const error =
      full && memory ? `FULL: ${memoryText(memory)}; it refuses what needs memory` : problem
    const same = before.ok === ok && before.full === full
    const since = same ? before.since : this.#clock.now()
    this.#status = { ok, answers, full, memory, error, since, version, servers }
    if (!same) this.#events.emit({ type: 'health', part: 'redis', ok, full, error })
  }

  #isFull(memory: RedisMemory | undefined): boolean {
    if (memory === undefined) return false
    return isFull(memory) || (this.#wasFull && memory.used > WELL_AGAIN * memory.max)
  }
}
