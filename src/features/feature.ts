import type { Registry } from 'prom-client'
import type { DoorModule } from '../api/door-routes.ts'
import type { FeatureLists, PartStatus } from '../api/part-status.ts'
import type { Status } from '../api/status.ts'
import type { Config } from '../config/config.ts'
import type { SectionKind } from '../config/section-kind.ts'
import type { Service } from '../lib/service.ts'
import type { FeatureContext } from './context.ts'

/** What a feature is known by before its code is loaded. Its folder exports one as `index.ts`. */
export interface FeatureEntry<Made extends Feature = Feature> {
  /** For people, as in the log: `relays`. */
  readonly name: string
  /** Its kinds of sections. */
  readonly kinds: readonly SectionKind[]
  /** Its lists in the status: empty as long as none of its sections is there. */
  readonly lists?: readonly (keyof FeatureLists)[]
  /** `redis`: it starts once Redis answers and the schedule runs. Others start at once. */
  readonly after?: 'redis'
  /**
   * Loads its code: with the first of its sections, or when its routes or metrics are asked for, so
   * that what is not configured takes no memory.
   */
  load(): Promise<FeatureModule<Made>>
}

export interface FeatureModule<Made extends Feature = Feature> {
  create(context: FeatureContext): Made
}

/**
 * A capability of the daemon, beside running tasks. `start` begins with the configuration as it is, and
 * must not wait for servers that may be away. `statuses` and `routes` work before `start` too.
 */
export interface Feature extends Omit<Service, 'name'> {
  /** Takes over another configuration; unchanged sections are not disturbed. Calls are done in turn. */
  configure(config: Config): Promise<void>
  /** Takes no new work on this node; what it has is brought to an end. May come before `start`. */
  hold?(): Promise<void>
  /** Takes work again, after `hold`. */
  take?(): void
  /** The state of its sections, within a moment whatever is away. */
  statuses?(): Promise<FeatureStatus>
  /** Its metrics, loaded when the HTTP door opens. */
  metrics?(): Promise<AddMetrics>
  /** Its part of the public API, loaded when that is first served. */
  routes?(): Promise<FeatureRoutes>
}

/** Adds metrics. @returns what takes over a status, just before the registry is read */
export type AddMetrics = (registry: Registry) => (status: Status) => void

export interface FeatureRoutes {
  /** The same for every configuration. */
  readonly fixed: readonly DoorModule[]
  /** Those that sections name: made anew with each configuration. */
  readonly named?: (config: Config) => DoorModule
}

export interface FeatureStatus {
  /** What `taskd status --json` says of it, under names of its own. */
  readonly lists: Partial<FeatureLists>
  /** The same for people, and for `taskd why`. */
  readonly parts: readonly PartStatus[]
}
