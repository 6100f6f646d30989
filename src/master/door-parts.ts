import type { Control } from '../api/control.ts'
import type { PullPort } from '../api/pull-port.ts'
import type { Status } from '../api/status.ts'
import type { HttpAddress } from '../config/config.ts'
import type { LiveConfig } from '../config/live.ts'
import type { FeatureSet } from '../features/feature-set.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { Service } from '../lib/service.ts'
import type { Events } from '../model/events.ts'
import type { RedisHealth } from '../monitor/redis-health.ts'
import type { FailFast } from '../queue/connection.ts'
import type { Engine } from './engine.ts'

/** What the door asks of the daemon: all that the control socket does, and how it is. */
export interface DoorDaemon extends Control {
  readonly state: Status['state']
}

/** What the HTTP door is made from. */
export interface DoorParts extends PublicParts {
  /** Where it listens, until the next start. */
  readonly http: HttpAddress
}

/** What the public API is made from, wherever it is served. */
export interface PublicParts {
  /** Secrets, limits and old paths are taken over at a reload. */
  readonly config: LiveConfig
  readonly engine: Pick<Engine, 'member'>
  /** A function, because the daemon is made later. */
  readonly daemon: () => DoorDaemon
  readonly health: Pick<RedisHealth, 'status'>
  readonly pull: PullPort
  readonly features: Pick<FeatureSet, 'routes' | 'metrics'>
  readonly ask: FailFast
  readonly version: string
  readonly clock: Clock
  readonly events: Events
  readonly log: Logger
}

export interface DoorService extends Service {
  /** Reads the certificate anew. */
  renew(): void
}
