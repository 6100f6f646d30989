import { describe, expect, test } from 'vitest'
import { readDatabase } from '../../../src/config/addresses.ts'
import { describeAddress, parseAddress } from '../../../src/store/address.ts'

const SERVER = {
  host: 'db',
  port: 3306,
  socket: '',
  user: 'taskd',
  password: '',
  database: 'task_schedule',
  tls: 'off',
}

/** Addresses of all kinds of wrong and right. */
const MIXED = ['', 'x', '@', ':', '/', '%', '%40', '#', '?', '[::1]', 'p@ss', 'p:s'].flatMap(
  part => [
    `mysql://root:${part}@host/db`,
    `mysql://${part}@host/db`,
    `postgres://u:p@${part}/db`,
    `mariadb://u:p@h/${part}`,
    `postgres://u:p@h:${part}/db?sslmode=require`,
  ],
)

test.each(MIXED)('the check, the doctor and the daemon judge %s alike', url => {
  const checked = readDatabase(url)
  const taken = attempt(() => parseAddress(url))
  const hint = (taken as { readonly hint?: string }).hint
  expect(checked.ok ? taken : hint).toEqual(checked.ok ? parseAddress(checked.value) : checked.hint)
})

describe('the address of a database', () => {
  test.each([
    ['sqlite:/var/lib/a b.db', { kind: 'sqlite', path: '/var/lib/a b.db' }],
    ['sqlite:///var/lib/a.db', { kind: 'sqlite', path: '/var/lib/a.db' }],
    ['sqlite:data/a.db', { kind: 'sqlite', path: 'data/a.db' }],
    ['mysql://taskd@db/task_schedule', { ...SERVER, kind: 'mysql' }],
    ['mariadb://taskd@db/task_schedule', { ...SERVER, kind: 'mysql' }],
    [
      'mysql://taskd:p%40ss%2F%3A%25@db:3307/x?sslmode=require',
      { ...SERVER, kind: 'mysql', password: 'p@ss/:%', port: 3307, database: 'x', tls: 'trust' },
    ],
    [
      'mysql://root@localhost/x?socketPath=/run/mysqld/mysqld.sock',
      {
        ...SERVER,
        kind: 'mysql',
        user: 'root',
        database: 'x',
        host: '',
        socket: '/run/mysqld/mysqld.sock',
      },
    ],
    [
      'postgres://taskd@/task_schedule?host=/run/postgresql',
      { ...SERVER, kind: 'postgres', host: '', port: 5432, socket: '/run/postgresql' },
    ],
    [
      'postgresql://taskd:s@[::1]:5433/task_schedule?sslmode=verify-full',
      { ...SERVER, kind: 'postgres', host: '::1', port: 5433, password: 's', tls: 'verify' },
    ],
    [
      'postgres:///task_schedule',
      { ...SERVER, kind: 'postgres', host: 'localhost', port: 5432, user: '' },
    ],
  ])('%s is understood', (url, expected) => {
    expect(parseAddress(url)).toEqual(expected)
  })

  test.each([
    '',
    'sqlite:',
    'task_schedule.db',
    'oracle://db/x',
    'mysql://db',
    'mysql://taskd:se/cret@db/x',
    'mysql://taskd:se@cret@db/x',
    'mysql://taskd:se%cret@db/x',
  ])('%j is refused with a remedy, and the password is not told', url => {
    const refused = attempt(() => parseAddress(url))
    expect(refused).toMatchObject({ code: 'E_DATABASE_URL' })
    expect(refused).toHaveProperty(
      'hint',
      expect.stringMatching(/write (sqlite|mysql):|percent-encode/),
    )
    expect(String(refused)).not.toContain('cret')
  })

  test('people are shown where it is, without the password', () => {
    const shown = ['mysql://u:secret@db/x', 'postgres://u:secret@/x?host=/run', 'sqlite:/a']
    expect(shown.map(url => describeAddress(parseAddress(url)))).toEqual([
      'mysql x at db:3306',
      'postgres x at /run',
      'sqlite:/a',
    ])
  })
})

function attempt(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}
