import type { Redis } from 'ioredis'
import type { RelayReceipt, RelayReport, RelayStatus, RelayTask } from '../../api/relay-port.ts'
import { type Clock, isoWithOffset } from '../../lib/clock.ts'
import { messageOf, TaskdError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Service } from '../../lib/service.ts'
import type { RelaySpec } from '../../model/channel.ts'
import { createClient, isAway } from '../../queue/connection.ts'
import { RelayList, textOf } from '../../queue/relay-list.ts'

export interface RelayDeps {
  readonly spec: RelaySpec
  readonly clock: Clock
  readonly log: Logger
}

/** How often leases are looked at that nobody asks for; and whether a Redis that was away is back. */
const SWEEP_MS = 10_000
const AWAY_MS = 1000
/** A connection that takes longer is made meanwhile. */
const CONNECT_MS = 1000

/** One list of another Redis, on a connection of its own that fails rather than waits. */
export class Relay implements Service {
  readonly name: string
  readonly spec: RelaySpec
  readonly #deps: RelayDeps
  readonly #redis: Redis
  readonly #list: RelayList
  readonly #stopping = new AbortController()
  #sweeping: Promise<void> | undefined
  #trouble: { readonly error: string; readonly since: number } | undefined
  #well: number

  constructor(deps: RelayDeps) {
    const { spec, clock } = deps
    this.name = `relay ${spec.name}`
    this.spec = spec
    this.#deps = deps
    this.#redis = createClient(spec.redis, 'ask', `taskd relay ${spec.name}`)
    this.#list = new RelayList(this.#redis, spec, () => clock.now())
    this.#well = clock.now()
  }

  /** Neither fails nor waits when that Redis is away. */
  async start(): Promise<void> {
    if (this.#sweeping) return
    const connected = this.#redis.connect().catch(() => undefined)
    this.#sweeping = this.#sweep(this.#stopping.signal)
    const enough = new AbortController()
    await Promise.race([connected, this.#deps.clock.sleep(CONNECT_MS, enough.signal)])
    enough.abort()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#redis.disconnect()
    await this.#sweeping
  }

  async take(count: number | undefined): Promise<readonly RelayTask[]> {
    const { max, name } = this.spec
    if (count !== undefined && count > max)
      throw new TaskdError(
        'E_BAD_REQUEST',
        `relay ${name} hands out ${max} tasks at once (max = ${max})`,
        'ask for fewer',
      )
    const taken = await this.#asked(() => this.#list.take(count ?? max))
    return taken.map(({ id, task }) => {
      const text = textOf(task)
      return text === undefined ? { id, task_base64: task.toString('base64') } : { id, task: text }
    })
  }

  async push({ results, done, batchId }: RelayReport): Promise<RelayReceipt> {
    const { name } = this.spec
    if (results.length > 0 && this.spec.results === undefined)
      throw new TaskdError(
        'E_BAD_REQUEST',
        `relay ${name} takes no results`,
        `add results = (a list) to [relay:${name}]`,
      )
    // Texts arrive as they are; anything else arrives as JSON.
    const texts = results.map(one => (typeof one === 'string' ? one : JSON.stringify(one)))
    const { again, leased } = await this.#asked(() => this.#list.push(texts, done, batchId))
    if (again) return { pushed: 0, done: 0, unknown: [], duplicate: true }
    const unknown = done.filter((_, at) => !leased[at])
    return { pushed: texts.length, done: done.length - unknown.length, unknown }
  }

  async status(): Promise<RelayStatus> {
    const { name, redis, list } = this.spec
    const none = { waiting: 0, leased: 0 }
    const asked = () => this.#asked(() => this.#list.counts()).catch(() => none)
    const { waiting, leased } = this.#trouble === undefined ? await asked() : none
    return {
      name,
      redis: redis.replace(/(:\/\/[^:@/]*):[^@/]*@/, '$1:***@'),
      list,
      ok: this.#trouble === undefined,
      error: this.#trouble?.error ?? '',
      since: isoWithOffset(this.#trouble?.since ?? this.#well),
      backlog: waiting,
      leased,
    }
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = this.#trouble === undefined ? Math.min(SWEEP_MS, this.spec.leaseMs) : AWAY_MS
      await this.#deps.clock.sleep(waitMs, signal)
      if (!signal.aborted) await this.#asked(() => this.#list.take(0)).catch(() => undefined)
    }
  }

  /** @throws TaskdError E_RELAY_AWAY within a second when that Redis does not answer */
  async #asked<T>(act: () => Promise<T>): Promise<T> {
    const { clock, log } = this.#deps
    const { name } = this.spec
    try {
      const result = await act()
      if (this.#trouble !== undefined) {
        log.info({ relay: name }, 'the Redis of a relay answers again')
        this.#trouble = undefined
        this.#well = clock.now()
      }
      return result
    } catch (error) {
      if (this.#stopping.signal.aborted) throw new TaskdError('E_STOPPING', 'taskd stops')
      const message = messageOf(error)
      if (this.#trouble === undefined) log.warn({ relay: name, error: message }, 'a relay fails')
      this.#trouble = { error: message, since: this.#trouble?.since ?? clock.now() }
      if (isAway(error))
        throw new TaskdError(
          'E_RELAY_AWAY',
          `the Redis of relay ${name} does not answer`,
          'tasks that were taken come back after their lease; try again later',
        )
      throw new TaskdError('E_RELAY', `the Redis of relay ${name} refuses: ${message}`)
    }
  }
}
