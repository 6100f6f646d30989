import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { SqliteDatabase, SqliteStatement } from 'kysely'
import type { Database } from 'libsql'
import { messageOf, TaskdError } from '../lib/errors.ts'

/**
 * SQLite works on the caller's thread, so waiting for another process's lock stops everything
 * else here: wait a moment only, and leave the longer wait to the caller's retry.
 */
const BUSY_MS = 200

/**
 * Opens the file, and makes it where that is wanted. The driver is loaded here, so that users of a
 * server never load it.
 */
export async function openSqlite(path: string, creates = true): Promise<SqliteDatabase> {
  const { default: Driver } = await import('libsql')
  const open = () => {
    if (!creates && !existsSync(path)) throw noFile(path)
    return prepared(() => new Driver(path), path)
  }
  let db = open()
  let file = identityOf(path)
  return {
    prepare(sql) {
      if (!db.inTransaction && identityOf(path) !== file) {
        // Somebody removed or replaced the file: SQLite would go on writing to the old one.
        const old = db
        db = open()
        old.close()
        file = identityOf(path)
      }
      return CONTROL.test(sql) ? controlled(db, sql) : careful(db, sql)
    },
    close: () => void db.close(),
  }
}

function prepared(open: () => Database, path: string): Database {
  let db: Database | undefined
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
    db = open()
    db.pragma(`busy_timeout = ${BUSY_MS}`)
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = NORMAL')
    return db
  } catch (error) {
    db?.close()
    throw new TaskdError(
      'E_DATABASE_OPEN',
      `cannot open the database ${path}: ${messageOf(error)}`,
      'its folder must be writable by the user of the daemon',
    )
  }
}

function noFile(path: string): TaskdError {
  return new TaskdError(
    'E_DATABASE_OPEN',
    `cannot open the database ${path}: there is no such file`,
    'look at its name, or make it',
  )
}

function identityOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}`
}

const CONTROL = /^\s*(begin|commit|rollback|savepoint|release)\b/i

/**
 * libsql does not reset a statement that failed with SQLITE_BUSY. It stays "in progress", and
 * whatever is written after it succeeds but is never committed (seen with 0.5.29). `exec` does
 * clean up; so transactions begin with it, and take the lock at once, and inside one no statement
 * can be busy any more.
 */
function careful(db: Database, sql: string): SqliteStatement {
  const statement = db.prepare(sql)
  return {
    reader: statement.reader,
    all: parameters => statement.all(parameters),
    iterate: parameters => statement.iterate(parameters),
    run(parameters) {
      if (db.inTransaction) return statement.run(parameters)
      db.exec('begin immediate')
      try {
        const result = statement.run(parameters)
        db.exec('commit')
        return result
      } catch (error) {
        // Some errors, a full disk for one, have ended the transaction already.
        if (db.inTransaction) db.exec('rollback')
        throw error
      }
    },
  }
}

function controlled(db: Database, sql: string): SqliteStatement {
  return {
    reader: false,
    all: () => [],
    iterate: () => [].values(),
    run() {
      db.exec(/^\s*begin\s*$/i.test(sql) ? 'begin immediate' : sql)
      return { changes: 0, lastInsertRowid: 0 }
    },
  }
}
