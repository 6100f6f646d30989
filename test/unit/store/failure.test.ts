import { expect, test } from 'vitest'
import { DeadlineError, failureOf, isDuplicate, RefusedError } from '../../../src/store/failure.ts'

const coded = (code: string, message = '') => Object.assign(new Error(message), { code })

test.each([
  // MariaDB and MySQL
  ['ER_DATA_TOO_LONG', 'refused'],
  ['ER_DUP_ENTRY', 'refused'],
  ['ER_NO_REFERENCED_ROW_2', 'refused'],
  ['ER_NO_DEFAULT_FOR_FIELD', 'refused'],
  ['ER_INNODB_AUTOEXTEND_SIZE_OUT_OF_RANGE', 'refused'],
  ['ER_LOCK_DEADLOCK', 'busy'],
  ['ER_NO_SUCH_TABLE', 'missing'],
  ['PROTOCOL_CONNECTION_LOST', 'cut'],
  ['ER_BAD_FIELD_ERROR', 'unable'],
  ['ER_ACCESS_DENIED_ERROR', 'unable'],
  // PostgreSQL
  ['22001', 'refused'],
  ['23505', 'refused'],
  ['42804', 'refused'],
  ['44000', 'refused'],
  ['40P01', 'busy'],
  ['42P01', 'missing'],
  ['57P01', 'cut'],
  ['42703', 'unable'],
  ['53100', 'unable'],
  // SQLite
  ['SQLITE_CONSTRAINT_UNIQUE', 'refused'],
  ['SQLITE_BUSY_SNAPSHOT', 'busy'],
  ['SQLITE_FULL', 'unable'],
  // the system
  ['ECONNRESET', 'cut'],
  ['ECONNREFUSED', 'unable'],
  ['SOMETHING_NEW', 'unable'],
])('%s means %s', (code, failure) => {
  expect(failureOf(coded(code))).toBe(failure)
})

test('what has no code of a database is judged by what it is', () => {
  expect(failureOf(coded('SQLITE_ERROR', 'no such table: task'))).toBe('missing')
  expect(failureOf(coded('SQLITE_ERROR', 'no such column: x'))).toBe('unable')
  expect(failureOf(new DeadlineError(5))).toBe('late')
  expect(failureOf(new RefusedError('no'))).toBe('refused')
  expect(failureOf('a text')).toBe('unable')
})

test.each([
  ['ER_DUP_ENTRY', true],
  ['23505', true],
  ['SQLITE_CONSTRAINT_PRIMARYKEY', true],
  ['SQLITE_CONSTRAINT_CHECK', false],
  ['23503', false],
])('%s: a key that is there already is %s', (code, expected) => {
  expect(isDuplicate(coded(code))).toBe(expected)
})
