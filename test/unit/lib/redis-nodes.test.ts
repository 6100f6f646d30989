import { describe, expect, test } from 'vitest'
import { readNodes, withoutPasswords } from '../../../src/lib/redis-nodes.ts'

const none = { user: '', password: '' }

describe('an address of several servers', () => {
  test('of sentinels, with their usual port', () => {
    expect(readNodes('sentinel://h1,h2:26380,[::1]:1/my-master')).toEqual({
      ok: true,
      value: {
        kind: 'sentinel',
        hosts: [
          { host: 'h1', port: 26_379 },
          { host: 'h2', port: 26_380 },
          { host: '::1', port: 1 },
        ],
        ...none,
        name: 'my-master',
        db: 0,
        tls: false,
        sentinel: none,
      },
    })
  })

  test('of sentinels, with logins and a database', () => {
    const url = 'sentinel://u:p%40w@h1/m?db=3&tls=yes&sentinel_user=s&sentinel_password=t%26'
    expect(readNodes(url)).toMatchObject({
      value: {
        user: 'u',
        password: 'p@w',
        db: 3,
        tls: true,
        sentinel: { user: 's', password: 't&' },
      },
    })
    expect(readNodes('sentinel://:pw@h1/m/2')).toMatchObject({
      value: { user: '', password: 'pw', db: 2 },
    })
  })

  test('of a cluster', () => {
    expect(readNodes('cluster://u:p@h1:7000,h2?tls=true')).toEqual({
      ok: true,
      value: {
        kind: 'cluster',
        hosts: [
          { host: 'h1', port: 7000 },
          { host: 'h2', port: 6379 },
        ],
        user: 'u',
        password: 'p',
        tls: true,
      },
    })
  })

  test.each([
    ['sentinel://h1', 'does not name the master'],
    ['sentinel://h1,,h2/m', 'is not a list of host:port'],
    ['sentinel://h1:70000/m', 'is not a list of host:port'],
    ['sentinel://u:%@h1/m', 'has a login that cannot be read'],
    ['sentinel://h1/m?db=x', 'has db=x'],
    ['sentinel://h1/m?dbs=1', 'has the option dbs, which is unknown'],
    ['cluster://h1/0', 'has a path, which a cluster does not know'],
    ['cluster://h1?db=1', 'has the option db, which is unknown'],
    ['cluster://h1?tls=perhaps', 'has tls=perhaps'],
    ['cluster://', 'is not a list of host:port'],
  ])('refuses %s', (url, reason) => {
    expect(readNodes(url)).toMatchObject({ ok: false, reason })
  })
})

test.each([
  ['redis://h', 'redis://h'],
  ['redis://u:p@h/0', 'redis://u:***@h/0'],
  ['redis://:p%40@h', 'redis://:***@h'],
  ['cluster://u:p:q@h1,h2', 'cluster://u:***@h1,h2'],
  ['sentinel://:p@h/m?sentinel_password=x&db=1', 'sentinel://:***@h/m?sentinel_password=***&db=1'],
])('%s is shown without its passwords', (url, shown) => {
  expect(withoutPasswords(url)).toBe(shown)
})
