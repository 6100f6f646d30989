import { codeOf, messageOf } from '../lib/errors.ts'

/**
 * What a failed statement means for the one who sent it.
 * - `refused`: these values can never be stored as they are
 * - `busy`: a deadlock or a lock held by somebody else; the same again will do
 * - `missing`: the database or a table is not there (any more); migrate
 * - `late`: the answer did not come in time: a table that is locked, a server that hangs or is slow.
 *   Nobody knows whether it was done, and it says nothing about the values
 * - `cut`: the connection broke; nobody knows whether it was done
 * - `unable`: the server is away, full, read-only, or lets us not in
 */
export type SqlFailure = 'refused' | 'busy' | 'missing' | 'late' | 'cut' | 'unable'

/** A server took too long. An error of ours, because drivers report that in different ways. */
export class DeadlineError extends Error {
  readonly code = 'ETIMEDOUT'

  constructor(ms: number) {
    super(`the database did not answer within ${ms} ms`)
    this.name = 'DeadlineError'
  }
}

/** A row that no database would take; found before one is asked. */
export class RefusedError extends Error {
  readonly code = 'E_ROW_REFUSED'

  constructor(message: string) {
    super(message)
    this.name = 'RefusedError'
  }
}

/**
 * The one judge of what a database says, be the table ours or somebody else's. A column or a right
 * that is missing is the database's state, and may be mended while the rows wait. Whatever is
 * unknown is `unable`: waiting loses nothing, giving up on a row might.
 */
export function failureOf(error: unknown): SqlFailure {
  if (error instanceof DeadlineError) return 'late'
  const code = codeOf(error)
  // The one case in which SQLite has no code of its own.
  if (code === 'SQLITE_ERROR')
    return messageOf(error).includes('no such table') ? 'missing' : 'unable'
  return TABLE[code] ?? classOf(code)
}

/** The database has not answered, which says nothing about the statement. */
export function isUnanswered(error: unknown): boolean {
  const failure = failureOf(error)
  // ECONNREFUSED, ENOENT and the like come from the system, not from a database.
  return failure === 'cut' || failure === 'late' || /^E[A-Z]+$/.test(codeOf(error))
}

/** A key that is there already. */
export function isDuplicate(error: unknown): boolean {
  return DUPLICATE.has(codeOf(error))
}

const DUPLICATE: ReadonlySet<string> = new Set([
  'ER_DUP_ENTRY',
  '23505',
  'SQLITE_CONSTRAINT_PRIMARYKEY',
  'SQLITE_CONSTRAINT_UNIQUE',
])

/** The database is there and its tables are not: nobody has migrated it yet. */
export function lacksTables(error: unknown): boolean {
  const codes = ['SQLITE_ERROR', 'ER_NO_SUCH_TABLE', '42P01']
  return codes.includes(codeOf(error)) && failureOf(error) === 'missing'
}

const TABLE: Readonly<Record<string, SqlFailure>> = {
  ECONNRESET: 'cut',
  EPIPE: 'cut',
  PROTOCOL_CONNECTION_LOST: 'cut',
  '57P01': 'cut', // admin_shutdown
  '57P02': 'cut', // crash_shutdown
  ER_SERVER_SHUTDOWN: 'cut',
  ER_CONNECTION_KILLED: 'cut',

  ER_LOCK_DEADLOCK: 'busy',
  ER_LOCK_WAIT_TIMEOUT: 'busy',
  ER_CHECKREAD: 'busy', // MariaDB: "record has changed since last read"
  ER_LOCK_NOWAIT: 'busy',
  '55P03': 'busy', // lock_not_available

  ER_NO_SUCH_TABLE: 'missing',
  ER_BAD_DB_ERROR: 'missing',
  ER_NO_DB_ERROR: 'missing',
  '42P01': 'missing', // undefined_table
  '3D000': 'missing', // invalid_catalog_name
  '3F000': 'missing', // invalid_schema_name

  E_ROW_REFUSED: 'refused',
  ER_DATA_TOO_LONG: 'refused',
  ER_TRUNCATED_WRONG_VALUE: 'refused',
  ER_TRUNCATED_WRONG_VALUE_FOR_FIELD: 'refused',
  ER_WARN_DATA_OUT_OF_RANGE: 'refused',
  ER_NET_PACKET_TOO_LARGE: 'refused',
  ER_BAD_NULL_ERROR: 'refused',
  ER_CHECK_CONSTRAINT_VIOLATED: 'refused',
  // 4025, which MariaDB calls ER_CONSTRAINT_FAILED; the driver knows MySQL's names only.
  ER_INNODB_AUTOEXTEND_SIZE_OUT_OF_RANGE: 'refused',
  ER_CONSTRAINT_FAILED: 'refused',
  ER_DUP_ENTRY: 'refused',
  ER_DUP_ENTRY_WITH_KEY_NAME: 'refused',
  ER_DUP_KEY: 'refused',
  ER_NO_REFERENCED_ROW: 'refused',
  ER_NO_REFERENCED_ROW_2: 'refused',
  ER_NO_DEFAULT_FOR_FIELD: 'refused',
  ER_WRONG_VALUE: 'refused',
  ER_WRONG_VALUE_FOR_TYPE: 'refused',
  ER_ILLEGAL_VALUE_FOR_TYPE: 'refused',
  ER_INVALID_JSON_TEXT: 'refused',
  ER_NO_PARTITION_FOR_GIVEN_VALUE: 'refused',
  WARN_DATA_TRUNCATED: 'refused',
  ER_TOO_BIG_ROWSIZE: 'refused',
  ER_SIGNAL_EXCEPTION: 'refused', // a trigger of the user's refuses it
  SQLITE_TOOBIG: 'refused',
  SQLITE_MISMATCH: 'refused',
  P0001: 'refused', // raise_exception: the same in PostgreSQL
  '42804': 'refused', // datatype_mismatch: these values, in this column
  '44000': 'refused', // with_check_option_violation
}

function classOf(code: string): SqlFailure {
  if (code.startsWith('SQLITE_CONSTRAINT')) return 'refused'
  if (/^SQLITE_(?:BUSY|LOCKED)/.test(code)) return 'busy'
  if (!/^[0-9A-Z]{5}$/.test(code)) return 'unable'
  switch (code.slice(0, 2)) {
    case '22': // data exception
    case '23': // integrity constraint violation
    case '54': // program limit exceeded
      return 'refused'
    case '40': // transaction rollback: deadlock, serialization failure
      return 'busy'
    case '08': // connection exception
      return 'cut'
    default:
      return 'unable'
  }
}
