import { sql } from 'kysely'
import { type Clock, realClock } from '../lib/clock.ts'
import { TaskdError } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { describeAddress, parseAddress } from './address.ts'
import { openDatabase } from './dialect.ts'
import { migrate } from './migrate.ts'
import { DEFAULT_LIMITS } from './pool.ts'
import { type RunRows, runRowsOn } from './run-rows.ts'
import type { Db, SqlKind } from './tables.ts'
import { type TaskTable, taskTableOn } from './task-table.ts'

export interface Store {
  readonly kind: SqlKind
  /** For people: where it is, without the password. */
  readonly address: string
  /** Brings the tables up to date. Safe from several nodes at once, and to repeat. */
  migrate(): Promise<void>
  /** A part of the database, such as the table fail_log, on this store's connections. */
  open<T>(make: (db: Db, kind: SqlKind, clock: Clock) => T): T
  readonly tasks: TaskTable
  readonly runRows: RunRows
  /** Resolves when the database answers. */
  ping(): Promise<void>
  /** Idempotent; what is still under way fails. */
  close(): Promise<void>
}

/** A change of a large table takes longer than any statement of the daily work may. */
const MIGRATION_LIMITS = { ...DEFAULT_LIMITS, queryMs: 300_000, connections: 1 }

/**
 * Connects to nothing yet: the first call does, so a daemon starts whether or not its database is
 * there.
 * @throws TaskdError E_DATABASE_URL
 */
export function openStore(url: string, log: Logger, clock: Clock = realClock): Store {
  const parsed = parseAddress(url)
  const db = openDatabase(parsed)
  const address = describeAddress(parsed)
  const migrating = new Set<{ destroy(): Promise<void> }>()
  let closing: Promise<void> | undefined
  return {
    kind: parsed.kind,
    address,
    open: make => make(db, parsed.kind, clock),
    tasks: taskTableOn(db, parsed.kind, clock),
    runRows: runRowsOn(db, parsed.kind, clock),
    async migrate() {
      if (closing) throw new TaskdError('E_STORE_CLOSED', 'the database is closed already')
      const own = openDatabase(parsed, MIGRATION_LIMITS)
      migrating.add(own)
      try {
        const done = await migrate(own, parsed.kind, clock)
        if (done.length > 0) log.info({ database: address, done }, 'the tables are up to date')
      } finally {
        migrating.delete(own)
        await own.destroy()
      }
    },
    async ping() {
      await sql`select 1`.execute(db)
    },
    close() {
      closing ??= Promise.all([db, ...migrating].map(one => one.destroy())).then(() => undefined)
      return closing
    },
  }
}
