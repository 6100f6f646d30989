import { isDeepStrictEqual } from 'node:util'
import type { Redis } from 'ioredis'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Service } from '../../lib/service.ts'
import type { Events } from '../../model/events.ts'
import type { QueueSpec } from '../../model/queue-spec.ts'
import { type SourceSpec, sourceClaimOf } from '../../model/source.ts'
import type { Scripts } from '../../queue/scripts.ts'
import { SourceClaims } from '../../queue/source-claims.ts'
import type { TaskQueues } from '../../queue/task-queues.ts'
import { TableSource } from './source.ts'
import type { SourceStatus } from './status.ts'
import { openSourceTable } from './table.ts'

export interface SourcesDeps {
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly log: Logger
  readonly events: Events
  /** On a connection that fails rather than waits, as `queues`. */
  readonly redis: Redis & Scripts
  readonly queues: TaskQueues
  readonly queueOf: (taskKey: string) => QueueSpec | undefined
}

/** All table queues, as the configuration has them. */
export class Sources implements Service {
  readonly name = 'table queues'
  readonly #deps: SourcesDeps
  #sources: readonly TableSource[] = []
  #changing: Promise<void> = Promise.resolve()
  #unsubscribe: (() => void) | undefined
  #running = false
  #taking = false

  constructor(deps: SourcesDeps) {
    this.#deps = deps
  }

  async start(): Promise<void> {
    this.#unsubscribe ??= this.#deps.events.subscribe(event => {
      if (event.type !== 'run-ended' || event.run.retryInMs !== undefined) return
      const claim = sourceClaimOf(event.run.id)
      if (claim) this.#sources.find(one => one.spec.name === claim.source)?.nudge()
    })
    this.#running = true
    this.#taking = true
  }

  /** Makes it so; one that is as it was is not disturbed. Before `start` nothing is done. */
  configure(specs: readonly SourceSpec[]): Promise<void> {
    const change = this.#changing.then(() => this.#change(this.#running ? specs : []))
    this.#changing = change.catch(() => undefined)
    return change
  }

  /** Takes no more rows on this node; verdicts are written still. */
  async hold(): Promise<void> {
    this.#taking = false
    await Promise.all(this.#sources.map(one => one.hold()))
  }

  take(): void {
    this.#taking = true
    for (const one of this.#sources) one.take()
  }

  async stop(): Promise<void> {
    await this.configure([])
    this.#running = false
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
  }

  statuses(): Promise<SourceStatus[]> {
    return Promise.all(this.#sources.map(one => one.status()))
  }

  async #change(specs: readonly SourceSpec[]): Promise<void> {
    const before = this.#sources
    const kept = (spec: SourceSpec) => before.find(one => isDeepStrictEqual(one.spec, spec))
    const now = specs.map(spec => kept(spec) ?? this.#make(spec))
    const staying = new Set(now)
    await Promise.all(before.filter(one => !staying.has(one)).map(one => one.stop()))
    this.#sources = now
    for (const one of now) {
      await one.start()
      if (this.#taking) one.take()
    }
  }

  #make(spec: SourceSpec): TableSource {
    const { redis, queueOf, ...deps } = this.#deps
    const table = openSourceTable(spec)
    return new TableSource({
      ...deps,
      spec,
      table,
      claims: new SourceClaims(redis, spec.name, table.mark),
      queue: () => queueOf(spec.task.taskKey),
    })
  }
}
