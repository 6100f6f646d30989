import { codeOf } from '../lib/errors.ts'
import { failureOf, type SqlFailure } from './failure.ts'

/**
 * The same as `failureOf`, for rows of a table that is not ours: it has keys and rules of which
 * fail_log has none. Only what these rows can never get past is `refused`; a column or a right that
 * is missing is the database's state, and may be mended while the rows wait.
 */
export function channelFailureOf(error: unknown): SqlFailure {
  return REFUSED.has(codeOf(error)) ? 'refused' : failureOf(error)
}

const REFUSED: ReadonlySet<string> = new Set([
  'ER_DUP_ENTRY',
  'ER_DUP_ENTRY_WITH_KEY_NAME',
  'ER_DUP_KEY',
  'ER_NO_REFERENCED_ROW',
  'ER_NO_REFERENCED_ROW_2',
  'ER_NO_DEFAULT_FOR_FIELD',
  'ER_WRONG_VALUE',
  'ER_WRONG_VALUE_FOR_TYPE',
  'ER_ILLEGAL_VALUE_FOR_TYPE',
  'ER_INVALID_JSON_TEXT',
  'ER_NO_PARTITION_FOR_GIVEN_VALUE',
  'WARN_DATA_TRUNCATED',
  // 4025, which MariaDB calls ER_CONSTRAINT_FAILED; the driver knows MySQL's names only.
  'ER_INNODB_AUTOEXTEND_SIZE_OUT_OF_RANGE',
  '42804', // datatype_mismatch: these values, in this column
  '44000', // with_check_option_violation
])

/** A key that is there already. */
export function isDuplicate(error: unknown): boolean {
  const code = codeOf(error)
  return (
    code === 'ER_DUP_ENTRY' ||
    code === '23505' ||
    code === 'SQLITE_CONSTRAINT_PRIMARYKEY' ||
    code === 'SQLITE_CONSTRAINT_UNIQUE'
  )
}
