import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../lib/clock.ts'
import { TaskdError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Service } from '../../lib/service.ts'
import { suggest } from '../../lib/suggest.ts'
import type { RelaySpec } from '../../model/channel.ts'
import type { RelayPort, RelayReceipt, RelayReport, RelayStatus, RelayTask } from './port.ts'
import { Relay } from './relay.ts'

export interface RelaysDeps {
  readonly clock: Clock
  readonly log: Logger
}

/** All relays, as the configuration has them. */
export class Relays implements Service, RelayPort {
  readonly name = 'relays'
  readonly #deps: RelaysDeps
  #relays: ReadonlyMap<string, Relay> = new Map()
  #wanted: readonly RelaySpec[]

  constructor(specs: readonly RelaySpec[], deps: RelaysDeps) {
    this.#wanted = specs
    this.#deps = deps
  }

  start(): Promise<void> {
    return this.configure(this.#wanted)
  }

  stop(): Promise<void> {
    return this.configure([])
  }

  /** Makes it so. A relay that is as it was keeps its connection. */
  async configure(specs: readonly RelaySpec[]): Promise<void> {
    this.#wanted = specs
    const before = this.#relays
    const now = specs.map(spec => {
      const known = before.get(spec.name)
      return known && isDeepStrictEqual(known.spec, spec)
        ? known
        : new Relay({ ...this.#deps, spec })
    })
    this.#relays = new Map(now.map(one => [one.spec.name, one]))
    await Promise.all(now.map(one => one.start()))
    await Promise.all([...before.values()].filter(one => !now.includes(one)).map(one => one.stop()))
  }

  async take(relay: string, count: number | undefined): Promise<readonly RelayTask[]> {
    return this.#named(relay).take(count)
  }

  async push(relay: string, report: RelayReport): Promise<RelayReceipt> {
    return this.#named(relay).push(report)
  }

  async statuses(): Promise<RelayStatus[]> {
    return Promise.all([...this.#relays.values()].map(one => one.status()))
  }

  #named(name: string): Relay {
    const found = this.#relays.get(name)
    if (found) return found
    const near = suggest(name, [...this.#relays.keys()])
    const hint =
      near === undefined ? 'add [relay:NAME] to the configuration' : `did you mean ${near}?`
    throw new TaskdError('E_NO_RELAY', `no relay named ${name.slice(0, 64)}`, hint)
  }
}
