import type { DoorModule } from '../api/door-routes.ts'
import type { FeatureLists } from '../api/part-status.ts'
import type { Config } from '../config/config.ts'
import type { FeatureContext } from './context.ts'
import type { AddMetrics, Feature, FeatureEntry, FeatureStatus } from './feature.ts'
import { LazyFeature } from './lazy-feature.ts'

/** All features of a daemon, in the order in which they start. */
export class FeatureSet {
  readonly all: readonly LazyFeature[]

  constructor(entries: readonly FeatureEntry[], context: FeatureContext) {
    this.all = entries.map(entry => new LazyFeature(entry, context))
  }

  /** Starts those that need no Redis. Resolves when all have started. */
  async startFirst(): Promise<void> {
    await Promise.all(this.#those(undefined).map(one => one.start()))
  }

  /** Starts the others, one after another. */
  async startAfterRedis(): Promise<void> {
    for (const one of this.#those('redis')) await one.start()
  }

  #those(after: FeatureEntry['after']): readonly LazyFeature[] {
    return this.all.filter(one => one.entry.after === after)
  }

  /** By name, how each takes over a configuration. */
  configured(config: Config): Readonly<Record<string, () => Promise<void>>> {
    return Object.fromEntries(this.all.map(one => [one.name, () => one.configure(config)]))
  }

  async hold(): Promise<void> {
    await Promise.all(this.all.map(one => one.hold()))
  }

  take(): void {
    for (const one of this.all) one.take()
  }

  /** One of them, loaded. */
  async get<Made extends Feature>(entry: FeatureEntry<Made>): Promise<Made> {
    const found = this.all.find(one => one.entry === entry)
    if (found === undefined) throw new Error(`no feature ${entry.name}`)
    return (await found.loaded()) as Made
  }

  async statuses(): Promise<{ readonly lists: FeatureLists } & Pick<FeatureStatus, 'parts'>> {
    const all = await Promise.all(this.all.map(one => one.statuses()))
    return {
      lists: Object.assign({}, ...all.map(one => one.lists)) as FeatureLists,
      parts: all.flatMap(one => one.parts),
    }
  }

  async metrics(): Promise<readonly AddMetrics[]> {
    const loaded = await this.#loaded()
    const all = await Promise.all(loaded.map(async one => one.metrics?.()))
    return all.filter(one => one !== undefined)
  }

  /** All their routes: those that never change, and how to make those that sections name. */
  async routes(): Promise<{
    readonly fixed: readonly DoorModule[]
    readonly named: (config: Config) => readonly DoorModule[]
  }> {
    const loaded = await this.#loaded()
    const all = await Promise.all(loaded.map(async one => one.routes?.()))
    return {
      fixed: all.flatMap(one => one?.fixed ?? []),
      named: config => all.flatMap(one => one?.named?.(config) ?? []),
    }
  }

  #loaded(): Promise<readonly Feature[]> {
    return Promise.all(this.all.map(one => one.loaded()))
  }
}
