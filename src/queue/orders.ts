import type { Redis } from 'ioredis'
import { createClient } from './connection.ts'
import { JOBS_CHANNEL, ORDERS_CHANNEL } from './keys.ts'

/** What one node asks of all that share its Redis, itself included. */
export type Order =
  | { readonly order: 'cancel'; readonly id: string; readonly reason: string }
  | { readonly order: 'reread'; readonly job: string }
  | { readonly order: 'pauses' }

export async function giveOrder(redis: Redis, order: Order): Promise<void> {
  await redis.publish(ORDERS_CHANNEL, JSON.stringify(order))
}

export interface OrderHandlers {
  /** End a run, if it is one of ours. */
  readonly onCancel: (id: string, reason: string) => void
  /** A job's cursor was set by hand. */
  readonly onReread?: (job: string) => void
  /** Something was paused or resumed. */
  readonly onPauses?: () => void
  /** Somebody says that jobs in SQL have changed. */
  readonly onJobs?: () => void
}

/** Hears orders, on a connection of its own. */
export class Orders {
  readonly #handlers: OrderHandlers
  readonly #heard: Redis

  /** @param name of the connection */
  constructor(redisUrl: string, name: string, handlers: OrderHandlers) {
    this.#handlers = handlers
    this.#heard = createClient(redisUrl, 'work', name)
  }

  async start(): Promise<void> {
    this.#heard.on('message', (channel, text) => {
      if (channel === JOBS_CHANNEL) this.#handlers.onJobs?.()
      else this.#obey(text)
    })
    await this.#heard.subscribe(ORDERS_CHANNEL, JOBS_CHANNEL)
  }

  /** Sends something, because a silent subscriber would not notice that its master is gone. */
  beat(): void {
    this.#heard.ping().catch(() => undefined)
  }

  stop(): void {
    this.#heard.disconnect()
  }

  #obey(text: string): void {
    const order = read(text)
    if (order?.order === 'cancel') this.#handlers.onCancel(String(order.id), String(order.reason))
    if (order?.order === 'pauses') this.#handlers.onPauses?.()
    if (order?.order === 'reread') this.#handlers.onReread?.(String(order.job))
  }
}

/** Anybody can publish anything; what is not an order is ignored. */
function read(text: string): Partial<Order> | undefined {
  try {
    return JSON.parse(text) ?? undefined
  } catch {
    return undefined
  }
}
