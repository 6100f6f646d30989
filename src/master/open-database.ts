import type { LiveConfig } from '../config/live.ts'
import { type Archiver, createArchiver } from '../failures/archiver.ts'
import { type FailLog, failLogOn } from '../failures/fail-log.ts'
import { RedisOutbox } from '../failures/outbox.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { Events } from '../model/events.ts'
import { openStore, type Store } from '../store/store.ts'
import type { Connections } from './connections.ts'

/** The SQL database, and the way of failed runs into it. */
export interface Database {
  readonly store: Store
  readonly failLog: FailLog
  readonly outbox: RedisOutbox
  readonly archiver: Archiver
  readonly condition: { readonly ok: boolean; readonly error: string }
}

export interface DatabaseDeps {
  readonly config: LiveConfig
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly events: Events
  readonly log: Logger
  readonly redis: Pick<Connections, 'work' | 'health'>
}

/** Connects when something is to be written; an SQLite file is opened then, too. */
export function openDatabase({
  config,
  clock,
  random,
  events,
  log,
  redis,
}: DatabaseDeps): Database {
  const store = openStore(config.current.settings.database, log, clock)
  const failLog = store.open(failLogOn)
  // Rows that are in SQL need not stay in a full Redis.
  const outbox = new RedisOutbox(redis.work, clock, () =>
    redis.health.status.full ? 1 : config.current.settings.failKeepTimeMs,
  )
  const archiver = createArchiver({ outbox, store, failLog, clock, random, log })
  events.subscribe(event => {
    if (event.type === 'run-ended' && event.run.kind !== '') outbox.nudge()
  })
  return {
    store,
    failLog,
    outbox,
    archiver,
    get condition() {
      const { ok, error = '' } = archiver.status()
      return { ok: ok !== false, error }
    },
  }
}
