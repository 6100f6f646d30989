import type { Redis } from 'ioredis'
import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Service } from '../lib/service.ts'
import type { Events } from '../model/events.ts'

const CHECK_MS = 1000
const DISK_FULL = 'cannot write its append-only file (is the disk full?)'
/** While it does not answer: so that its return is not noticed a second late. */
const AWAY_CHECK_MS = 50

export interface RedisHealthStatus {
  readonly ok: boolean
  readonly error: string
  readonly since: number
  readonly version: string
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
    this.#status = { ok: false, error: 'not asked yet', since: clock.now(), version: '' }
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
      const problem = await this.#problem()
      const version = this.#status.version || (await this.#version())
      this.#set(problem === '', problem, version)
    } catch (error) {
      this.#set(false, wordsFor(error), '')
    }
  }

  async #version(): Promise<string> {
    return /redis_version:(\S+)/.exec(await this.#redis.info('server'))?.[1] ?? ''
  }

  /** A Redis that answers but refuses writes is no better than none. */
  async #problem(): Promise<string> {
    const info = await this.#redis.info('persistence')
    if (info.includes('aof_last_write_status:err')) return DISK_FULL
    if (info.includes('loading:1')) return 'is loading its data'
    return ''
  }

  #set(ok: boolean, error: string, version: string): void {
    const before = this.#status
    if (before.ok === ok && before.error === error) return
    const since = before.ok === ok ? before.since : this.#clock.now()
    this.#status = { ok, error, since, version }
    if (before.ok !== ok) this.#events.emit({ type: 'health', part: 'redis', ok, error })
  }
}

/** In the user's words; a client library speaks of streams and queues. */
function wordsFor(error: unknown): string {
  const message = messageOf(error)
  if (message.includes('timed out')) return 'does not answer within a second'
  if (message.includes("isn't writeable") || message.includes('is closed')) return 'no connection'
  // It refuses even a PING then.
  if (message.startsWith('MISCONF')) return DISK_FULL
  return `does not answer: ${message}`
}
