import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { SqliteDatabase } from 'kysely'
import { messageOf, TaskdError } from '../lib/errors.ts'

/**
 * SQLite works on the caller's thread, so waiting for another process's lock stops everything
 * else here: wait a moment only, and leave the longer wait to the caller's retry.
 */
const BUSY_MS = 200

/** Opens (and makes) the file. The driver is loaded here, so that who uses a server never pays. */
export async function openSqlite(path: string): Promise<SqliteDatabase> {
  const { default: Database } = await import('libsql')
  const open = () => {
    try {
      return new Database(path)
    } catch (error) {
      throw new TaskdError(
        'E_DATABASE_OPEN',
        `cannot open the database ${path}: ${messageOf(error)}`,
        'the folder must be there and writable by the user of the daemon',
      )
    }
  }
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
  const db = open()
  try {
    db.pragma(`busy_timeout = ${BUSY_MS}`)
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = NORMAL')
    db.pragma('foreign_keys = ON')
  } catch (error) {
    db.close()
    throw error
  }
  return db
}
