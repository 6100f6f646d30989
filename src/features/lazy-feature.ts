import type { FeatureLists } from '../api/part-status.ts'
import type { Config } from '../config/config.ts'
import { valueOf } from '../config/section-kind.ts'
import type { Service } from '../lib/service.ts'
import type { FeatureContext } from './context.ts'
import type { Feature, FeatureEntry, FeatureStatus } from './feature.ts'

/** A feature whose code is loaded when its first section is there, or something of it is asked for. */
export class LazyFeature<Made extends Feature = Feature> implements Service {
  readonly entry: FeatureEntry<Made>
  readonly #context: FeatureContext
  #loading: Promise<Made> | undefined
  #life: 'new' | 'started' | 'stopped' = 'new'
  #isHeld = false
  /** Each step waits for the one before. */
  #last: Promise<void> = Promise.resolve()
  #running: Made | undefined

  constructor(entry: FeatureEntry<Made>, context: FeatureContext) {
    this.entry = entry
    this.#context = context
  }

  get name(): string {
    return this.entry.name
  }

  start(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#life !== 'new') return
      this.#life = 'started'
      await this.#begin(this.#context.config.current)
    })
  }

  stop(): Promise<void> {
    return this.#inTurn(async () => {
      this.#life = 'stopped'
      await this.#running?.stop()
    })
  }

  configure(config: Config): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#life !== 'started') return
      if (this.#running) await this.#running.configure(config)
      else await this.#begin(config)
    })
  }

  async #begin(config: Config): Promise<void> {
    if (!this.#isConfigured(config)) return
    const feature = await this.#load()
    this.#running = feature
    if (this.#isHeld) await feature.hold?.()
    await feature.start()
  }

  async hold(): Promise<void> {
    this.#isHeld = true
    await this.#running?.hold?.()
  }

  take(): void {
    this.#isHeld = false
    this.#running?.take?.()
  }

  async statuses(): Promise<FeatureStatus> {
    const nothing = { lists: emptyLists(this.entry), parts: [] }
    if (!this.#running && !this.#isConfigured(this.#context.config.current)) return nothing
    const feature = await this.#load()
    return (await feature.statuses?.()) ?? nothing
  }

  #isConfigured(config: Config): boolean {
    return this.entry.kinds.some(kind => {
      const value = valueOf(config, kind)
      return Array.isArray(value) ? value.length > 0 : value !== undefined
    })
  }

  /** The feature itself, once what is being changed is done. */
  async loaded(): Promise<Made> {
    await this.#last
    return this.#load()
  }

  #load(): Promise<Made> {
    this.#loading ??= this.entry.load().then(
      module => module.create(this.#context),
      (error: unknown) => {
        // A disk may be away for a moment.
        this.#loading = undefined
        throw error
      },
    )
    return this.#loading
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const done = this.#last.then(step)
    this.#last = done.catch(() => undefined)
    return done
  }
}

function emptyLists({ lists = [] }: FeatureEntry): Partial<FeatureLists> {
  return Object.fromEntries(lists.map(name => [name, []]))
}
