import { messageOf } from './errors.ts'
import type { Logger } from './log.ts'

/** Any long-lived part. Both calls are idempotent; stopping what never started is fine. */
export interface Service {
  readonly name: string
  start(): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts services in order and stops them in reverse. A service that fails to start has those
 * before it stopped again; one that hangs while stopping is named and left behind.
 */
export class ServiceGroup implements Service {
  readonly name: string
  readonly #services: readonly Service[]
  readonly #log: Logger
  readonly #stopLimitMs: number
  #started: Service[] = []

  /** @param stopLimitMs how long one service may take to stop before it is named and left */
  constructor(name: string, services: readonly Service[], log: Logger, stopLimitMs = 10_000) {
    this.name = name
    this.#services = services
    this.#log = log
    this.#stopLimitMs = stopLimitMs
  }

  async start(): Promise<void> {
    for (const service of this.#services) {
      if (this.#started.includes(service)) continue
      try {
        await service.start()
        this.#started.push(service)
      } catch (error) {
        this.#started.push(service)
        await this.stop()
        throw error
      }
    }
  }

  async stop(): Promise<void> {
    const started = this.#started
    this.#started = []
    for (const service of started.toReversed()) await this.#stopOne(service)
  }

  async #stopOne(service: Service): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const limit = new Promise<'late'>(resolve => {
      timer = setTimeout(() => resolve('late'), this.#stopLimitMs)
    })
    try {
      const ended = await Promise.race([service.stop(), limit])
      if (ended === 'late')
        this.#log.warn(
          { service: service.name, limit_ms: this.#stopLimitMs },
          'a part did not stop in time',
        )
    } catch (error) {
      this.#log.warn({ service: service.name, error: messageOf(error) }, 'a part failed to stop')
    } finally {
      clearTimeout(timer)
    }
  }
}
