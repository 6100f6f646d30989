import type { Redis } from 'ioredis'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { createClient } from '../queue/connection.ts'
import { JOBS_CHANNEL, ORDERS_CHANNEL } from '../queue/keys.ts'

export interface OrdersDeps {
  readonly node: string
  readonly redisUrl: string
  /** To speak with; what is heard has a connection of its own. */
  readonly redis: Redis
  readonly log: Logger
  /** End a run, if it is one of ours. */
  readonly onCancel: (id: string, reason: string) => void
  /** A job's cursor was set by hand. */
  readonly onReread: (job: string) => void
  /** Somebody says that jobs in SQL are other ones now. */
  readonly onJobs: () => void
}

/** What one node asks of all that share its Redis, itself included. */
export class Orders {
  readonly #deps: OrdersDeps
  readonly #heard: Redis

  constructor(deps: OrdersDeps) {
    this.#deps = deps
    this.#heard = createClient(deps.redisUrl, 'work', `${deps.node} orders`)
  }

  async start(): Promise<void> {
    this.#heard.on('message', (channel, text) => {
      if (channel === JOBS_CHANNEL) this.#deps.onJobs()
      else this.#obey(text)
    })
    await this.#heard.subscribe(ORDERS_CHANNEL, JOBS_CHANNEL)
  }

  /** A subscriber that is never asked anything would not notice that its master is gone. */
  beat(): void {
    this.#heard.ping().catch(() => undefined)
  }

  stop(): void {
    this.#heard.disconnect()
  }

  cancel(id: string, reason: string): Promise<void> {
    return this.#tell({ order: 'cancel', id, reason })
  }

  reread(job: string): Promise<void> {
    return this.#tell({ order: 'reread', job })
  }

  async #tell(order: object): Promise<void> {
    await this.#deps.redis.publish(ORDERS_CHANNEL, JSON.stringify(order))
  }

  #obey(text: string): void {
    try {
      const { order, id, reason, job } = JSON.parse(text) as Record<string, unknown>
      if (order === 'cancel') this.#deps.onCancel(String(id), String(reason))
      if (order === 'reread') this.#deps.onReread(String(job))
    } catch (error) {
      this.#deps.log.warn({ error: messageOf(error) }, 'an order that could not be read')
    }
  }
}
