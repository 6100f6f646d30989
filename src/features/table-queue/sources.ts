import type { Clock } from '../../lib/clock.ts'
import { Fleet } from '../../lib/fleet.ts'
import type { Logger } from '../../lib/log.ts'
import type { Events } from '../../model/events.ts'
import type { QueueSpec } from '../../model/queue-spec.ts'
import { type SourceSpec, sourceClaimOf } from '../../model/source.ts'
import type { FailFast } from '../../queue/connection.ts'
import type { Scripts } from '../../queue/scripts.ts'
import { SourceClaims } from '../../queue/source-claims.ts'
import type { TaskQueues } from '../../queue/task-queues.ts'
import { describeAddress, parseAddress } from '../../store/address.ts'
import { TableSource } from './source.ts'
import type { SourceStatus } from './status.ts'
import { openSourceTable } from './table.ts'

export interface SourcesDeps {
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly log: Logger
  readonly events: Events
  readonly redis: FailFast & Scripts
  readonly queues: FailFast<TaskQueues>
  readonly queueOf: (taskKey: string) => QueueSpec | undefined
}

/** All table queues, as the configuration has them. */
export class Sources {
  readonly #fleet: Fleet<SourceSpec, TableSource>
  readonly #unsubscribe: () => void
  #taking = true

  constructor({ queueOf, ...deps }: SourcesDeps) {
    this.#fleet = new Fleet(spec => {
      const table = openSourceTable(spec)
      return new TableSource({
        ...deps,
        spec,
        table,
        claims: new SourceClaims(deps.redis, spec.name, table.mark),
        queue: () => queueOf(spec.task.taskKey),
      })
    })
    this.#unsubscribe = deps.events.subscribe(event => {
      if (event.type !== 'run-ended' || event.run.retryInMs !== undefined) return
      const claim = sourceClaimOf(event.run.id)
      if (claim) this.#fleet.get(claim.source)?.nudge()
    })
  }

  /** Applies a configuration; an unchanged one is not disturbed. */
  async configure(specs: readonly SourceSpec[]): Promise<void> {
    await this.#fleet.configure(specs)
    if (this.#taking) this.take()
  }

  /** Takes no more rows on this node; verdicts are still written. */
  async hold(): Promise<void> {
    this.#taking = false
    await Promise.all(this.#fleet.members.map(one => one.hold()))
  }

  take(): void {
    this.#taking = true
    for (const one of this.#fleet.members) one.take()
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
    await this.configure([])
  }

  /** @param specs those that are configured; one that was not made yet has not been looked at */
  async statuses(specs: readonly SourceSpec[]): Promise<SourceStatus[]> {
    const known = await Promise.all(this.#fleet.members.map(one => one.status()))
    return specs.map(spec => known.find(one => one.name === spec.name) ?? notLookedAt(spec))
  }
}

function notLookedAt({ name, table, database, task }: SourceSpec): SourceStatus {
  return {
    name,
    table,
    database: describeAddress(parseAddress(database)),
    task_key: task.taskKey,
    ok: null,
    error: '',
    since: '',
    full: null,
    open: null,
    backlog: null,
    taken: 0,
    bad: 0,
    written: 0,
  }
}
