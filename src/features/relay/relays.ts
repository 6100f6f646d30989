import type { Clock } from '../../lib/clock.ts'
import { Fleet } from '../../lib/fleet.ts'
import type { Logger } from '../../lib/log.ts'
import { unknownName } from '../../lib/suggest.ts'
import type { RelaySpec } from '../../model/channel.ts'
import type { RelayPort, RelayReceipt, RelayReport, RelayTask } from './port.ts'
import { Relay } from './relay.ts'
import type { RelayStatus } from './status.ts'

export interface RelaysDeps {
  readonly clock: Clock
  readonly log: Logger
}

/** All relays, as the configuration has them. */
export class Relays implements RelayPort {
  readonly #fleet: Fleet<RelaySpec, Relay>

  constructor({ clock, log }: RelaysDeps) {
    this.#fleet = new Fleet(spec => new Relay({ spec, clock, log }))
  }

  /** Applies a configuration. An unchanged relay keeps its connection. */
  configure(specs: readonly RelaySpec[]): Promise<void> {
    return this.#fleet.configure(specs)
  }

  async take(relay: string, count: number | undefined): Promise<readonly RelayTask[]> {
    return this.#named(relay).take(count)
  }

  async push(relay: string, report: RelayReport): Promise<RelayReceipt> {
    return this.#named(relay).push(report)
  }

  async statuses(): Promise<RelayStatus[]> {
    return Promise.all(this.#fleet.members.map(one => one.status()))
  }

  #named(name: string): Relay {
    const found = this.#fleet.get(name)
    if (found) return found
    const message = `no relay named ${name.slice(0, 64)}`
    const otherwise = 'add [relay:NAME] to the configuration'
    const known = this.#fleet.members.map(one => one.spec.name)
    throw unknownName('E_NO_RELAY', message, name, known, otherwise)
  }
}
