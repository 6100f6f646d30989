import type { Clock } from '../../lib/clock.ts'
import { messageOf, TaskdError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { withoutPasswords } from '../../lib/redis-nodes.ts'
import type { Service } from '../../lib/service.ts'
import { Trouble } from '../../lib/trouble.ts'
import type { RelaySpec } from '../../model/channel.ts'
import { wordsFor } from '../../monitor/redis-servers.ts'
import { createClient, type FailFast, isAway } from '../../queue/connection.ts'
import { RelayList, textOf } from './list.ts'
import type { RelayReceipt, RelayReport, RelayTask } from './port.ts'
import type { RelayStatus } from './status.ts'

export interface RelayDeps {
  readonly spec: RelaySpec
  readonly clock: Clock
  readonly log: Logger
}

/** How often expired leases are given back without a request, and a Redis that is away is tried. */
const SWEEP_MS = 10_000
const AWAY_MS = 1000
/** A start does not wait longer for the connection. */
const CONNECT_MS = 1000

/** One list of another Redis, on a connection of its own. */
export class Relay implements Service {
  readonly name: string
  readonly spec: RelaySpec
  readonly #deps: RelayDeps
  readonly #redis: FailFast
  readonly #list: RelayList
  readonly #stopping = new AbortController()
  #connected: Promise<void> | undefined
  #sweeping: Promise<void> | undefined
  readonly #trouble: Trouble

  constructor(deps: RelayDeps) {
    const { spec, clock, log } = deps
    this.name = `relay ${spec.name}`
    this.spec = spec
    this.#deps = deps
    this.#redis = createClient(spec.redis, 'ask', `taskd relay ${spec.name}`)
    this.#list = new RelayList(this.#redis, spec, () => clock.now())
    this.#trouble = new Trouble(clock, {
      began: error => log.warn({ relay: spec.name, error: messageOf(error) }, 'a relay fails'),
      ended: away_s => log.info({ relay: spec.name, away_s }, 'a relay works again'),
    })
  }

  /** Neither fails nor waits when that Redis is away. */
  async start(): Promise<void> {
    this.#connected ??= this.#connect()
    await this.#connected
    this.#sweeping ??= this.#sweep(this.#stopping.signal)
  }

  async #connect(): Promise<void> {
    const enough = new AbortController()
    const connected = this.#redis.connect().catch(() => undefined)
    const late = this.#deps.clock.sleep(CONNECT_MS, enough.signal)
    await Promise.race([connected, late])
    enough.abort()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#redis.disconnect()
    await this.#sweeping
    await this.#connected
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
    const none = { waiting: null, leased: null }
    const asked = () => this.#asked(() => this.#list.counts()).catch(() => none)
    const { waiting, leased } = this.#trouble.ok ? await asked() : none
    return {
      name,
      redis: withoutPasswords(redis),
      list,
      ...this.#trouble.condition,
      backlog: waiting,
      leased,
    }
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    for (let swept = clock.monotonic(); !signal.aborted; ) {
      await clock.sleep(AWAY_MS, signal)
      const isDue = clock.monotonic() - swept >= Math.min(SWEEP_MS, this.spec.leaseMs)
      if (signal.aborted || (this.#trouble.ok && !isDue)) continue
      swept = clock.monotonic()
      await this.#asked(() => this.#list.take(0)).catch(() => undefined)
    }
  }

  /** @throws TaskdError E_RELAY_AWAY within a second when that Redis does not answer */
  async #asked<T>(act: () => Promise<T>): Promise<T> {
    const { name } = this.spec
    // The first connection is just being made.
    await this.#connected
    try {
      const result = await act()
      this.#trouble.clear()
      return result
    } catch (error) {
      if (this.#stopping.signal.aborted) throw new TaskdError('E_STOPPING', 'taskd stops')
      this.#trouble.note(isAway(error) ? wordsFor(error) : error)
      if (isAway(error))
        throw new TaskdError(
          'E_RELAY_AWAY',
          `the Redis of relay ${name} does not answer`,
          'tasks that were taken come back after their lease; try again later',
        )
      throw new TaskdError('E_RELAY', `the Redis of relay ${name} refuses: ${messageOf(error)}`)
    }
  }
}
