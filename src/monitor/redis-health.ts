import type { Redis } from 'ioredis'
import type { Clock } from '../lib/clock.ts'
import type { Service } from '../lib/service.ts'
import type { Events } from '../model/events.ts'
import { lookAtRedis, wordsFor } from './redis-servers.ts'

const CHECK_MS = 1000
/** While it does not answer: so that its return is not noticed a second late. */
const AWAY_CHECK_MS = 50

export interface RedisHealthStatus {
  readonly ok: boolean
  readonly error: string
  readonly since: number
  readonly version: string
  /** Where the masters are, when the address names sentinels or a cluster: `host:port`. */
  readonly servers: readonly string[]
}

/** Asks Redis each second whether it answers, on a connection that fails rather than waits. */
export class RedisHealth implements Service {
  readonly name = 'redis health'
  readonly #redis: Redis
  readonly #clock: Clock
  readonly #events: Events
  #status: RedisHealthStatus
  #stopping = new AbortController()
  #running: Promise<void> | undefined

  /** @param redis a client made to `ask` */
  constructor(redis: Redis, clock: Clock, events: Events) {
    this.#redis = redis
    this.#clock = clock
    this.#events = events
    this.#status = {
      ok: false,
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
    if (this.#running) return
    this.#stopping = new AbortController()
    this.#redis.connect().catch(() => undefined)
    this.#running = this.#loop()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#running = undefined
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await this.#check()
      await this.#clock.sleep(this.#status.ok ? CHECK_MS : AWAY_CHECK_MS, signal)
    }
  }

  async #check(): Promise<void> {
    try {
      const { problem, servers } = await lookAtRedis(this.#redis)
      const version = this.#status.version || (await this.#version())
      this.#set(problem, version, servers)
    } catch (error) {
      this.#set(wordsFor(error), '', this.#status.servers)
    }
  }

  async #version(): Promise<string> {
    return /redis_version:(\S+)/.exec(await this.#redis.info('server'))?.[1] ?? ''
  }

  #set(error: string, version: string, servers: readonly string[]): void {
    const before = this.#status
    const ok = error === ''
    const moved = servers.join() !== before.servers.join()
    if (before.ok === ok && before.error === error && !moved) return
    const since = before.ok === ok ? before.since : this.#clock.now()
    this.#status = { ok, error, since, version, servers }
    if (before.ok !== ok) this.#events.emit({ type: 'health', part: 'redis', ok, error })
  }
}
