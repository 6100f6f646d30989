import { type RawBuilder, sql } from 'kysely'
import { type Clock, realClock } from '../lib/clock.ts'
import { TaskdError } from '../lib/errors.ts'
import { failureOf } from './failure.ts'
import { failLog } from './migrations/001-fail-log.ts'
import { taskTables } from './migrations/002-task-tables.ts'
import { type AnyDb, type Migration, stepsOn } from './migrations/steps.ts'
import type { Db, SqlKind } from './tables.ts'

/** In the order in which they are done. A name, once released, never changes. */
const MIGRATIONS: readonly Migration[] = [failLog, taskTables]

/** Another node may be migrating: how long to wait for it, and how often to look. */
const LOCK_WAIT_MS = 30_000
const LOCK_POLL_MS = 100

/**
 * Brings the tables up to date, under a lock that dies with its holder's connection. Kysely's own
 * Migrator would wait an hour for its lock, has none for SQLite, and refuses a database that a
 * newer release has been at, which is every database during a rolling upgrade.
 *
 * @returns the names of the migrations that were done
 */
export async function migrate(db: Db, kind: SqlKind, clock: Clock = realClock): Promise<string[]> {
  return (db as AnyDb).connection().execute(async connection => {
    const lock = LOCKS[kind]
    await acquire(connection, lock, clock)
    try {
      const done = await runPending(connection, kind, clock)
      await lock.release(connection)
      return done
    } catch (error) {
      // The connection may be what broke; then the lock is gone with it.
      await lock.abandon(connection).catch(() => undefined)
      throw error
    }
  })
}

async function runPending(db: AnyDb, kind: SqlKind, clock: Clock): Promise<string[]> {
  const steps = await stepsOn(db, kind)
  await steps.createTable('taskd_migration', table =>
    table
      .addColumn('name', 'varchar(255)', one => one.notNull().primaryKey())
      .addColumn('done_at', 'varchar(40)', one => one.notNull()),
  )
  const rows = await (db as Db).selectFrom('taskd_migration').select('name').execute()
  const known = new Set(rows.map(row => row.name))
  const pending = MIGRATIONS.filter(one => !known.has(one.name))
  for (const one of pending) {
    await one.up(steps)
    const done_at = new Date(clock.now()).toISOString()
    await (db as Db).insertInto('taskd_migration').values({ name: one.name, done_at }).execute()
  }
  return pending.map(one => one.name)
}

interface Lock {
  /** One try; false when somebody else holds it. */
  take(db: AnyDb): Promise<boolean>
  /** Commits what was done. */
  release(db: AnyDb): Promise<void>
  /** Undoes what can be undone. */
  abandon(db: AnyDb): Promise<void>
}

async function acquire(db: AnyDb, lock: Lock, clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + LOCK_WAIT_MS
  while (!(await lock.take(db))) {
    if (clock.monotonic() > deadline)
      throw new TaskdError(
        'E_MIGRATION_LOCKED',
        `the tables are being changed by somebody else for over ${LOCK_WAIT_MS / 1000} s`,
        'it is tried again by itself; look for another taskd at work on this database',
      )
    await clock.sleep(LOCK_POLL_MS)
  }
}

const run = async (db: AnyDb, statement: RawBuilder<unknown>) => void (await statement.execute(db))
const commit = (db: AnyDb) => run(db, sql`commit`)
const rollback = (db: AnyDb) => run(db, sql`rollback`)

/** MySQL's locks are of the whole server, so the name tells which database is meant. */
const MYSQL_NAME = sql`concat('taskd-migrate-', left(sha1(database()), 32))`
const POSTGRES_ID = sql`7391042216655280513`

const LOCKS: Readonly<Record<SqlKind, Lock>> = {
  mysql: {
    async take(db) {
      const got = await sql<{ got: number }>`select get_lock(${MYSQL_NAME}, 0) as got`.execute(db)
      return Number(got.rows[0]?.got) === 1
    },
    release: db => run(db, sql`do release_lock(${MYSQL_NAME})`),
    abandon: db => run(db, sql`do release_lock(${MYSQL_NAME})`),
  },
  postgres: {
    async take(db) {
      await run(db, sql`begin`)
      // A lock of the transaction, not of the session, so that it also works behind a pgbouncer.
      const got = await sql<{ got: boolean }>`
        select pg_try_advisory_xact_lock(${POSTGRES_ID}) as got`.execute(db)
      if (got.rows[0]?.got) return true
      await rollback(db)
      return false
    },
    release: commit,
    abandon: rollback,
  },
  sqlite: {
    async take(db) {
      try {
        await run(db, sql`begin immediate`)
        return true
      } catch (error) {
        if (failureOf(error) === 'busy') return false
        throw error
      }
    },
    release: commit,
    abandon: rollback,
  },
}
