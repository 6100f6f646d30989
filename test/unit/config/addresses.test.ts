import { describe, expect, test } from 'vitest'
import { configOf, mistakes } from './load-files.ts'

const settingsOf = (...lines: string[]) => configOf(['[taskd]', ...lines].join('\n')).settings

describe('redis', () => {
  test.each([
    'embedded',
    'redis://127.0.0.1:6379',
    'redis://:pw@host/3',
    'rediss://user:p%23w@host:6380',
    'unix:/run/redis.sock',
    'sentinel://h1:26379,h2:26379/mymaster',
    'sentinel://:pw@h1,h2/mymaster/2',
    'cluster://h1:7000,[::1]:7001',
  ])('%s', address => {
    expect(settingsOf(`redis = ${address}`).redis).toBe(address)
  })

  test.each([
    ['localhost', 'is not a Redis address. write embedded, redis://host:6379'],
    ['127.0.0.1:6379', 'is not a Redis address. did you mean "redis://127.0.0.1:6379"?'],
    ['redis://', 'names no host'],
    ['redis://h:port', 'is not a URL that can be read'],
    ['redis://:p%ss@h', 'has a % that begins no character'],
    ['redis://h/name', 'does not end in a database number'],
    ['sentinel://h1:1,h2:2', 'does not name the master'],
    ['sentinel://h1:1,,h2/m', 'is not a list of host:port'],
    ['cluster://h1:7000/0', 'has a path, which a cluster does not know'],
    ['unix:', 'names no socket'],
  ])('refuses %s', (address, expected) => {
    expect(mistakes(`[taskd]\nredis = ${address}`)).toEqual([expect.stringContaining(expected)])
  })
})

describe('database', () => {
  test.each([
    ['sqlite:/var/x.db', 'sqlite:/var/x.db'],
    ['sqlite:///var/x.db', 'sqlite:/var/x.db'],
    ['mysql://u:p@h/task_schedule', 'mysql://u:p@h/task_schedule'],
    ['mariadb://u:p@h/task_schedule', 'mysql://u:p@h/task_schedule'],
    ['postgres://taskd@/t?host=/run/pg', 'postgres://taskd@/t?host=/run/pg'],
    ['mysql://root:p@/t?socketPath=/run/m.sock', 'mysql://root:p@/t?socketPath=/run/m.sock'],
    ['postgresql://h:5433/t?sslmode=require', 'postgres://h:5433/t?sslmode=require'],
  ])('%s', (address, expected) => {
    expect(settingsOf(`database = ${address}`).database).toBe(expected)
  })

  test.each([
    ['task.db', 'is not a database address. write sqlite:path'],
    ['sqlite:', 'names no file'],
    ['mysql://u@h', 'names no database. write mysql://…/task_schedule'],
    ['mysql://u:p#w@h/t', 'has a #. percent-encode special characters in the password, # as %23'],
    ['mysql://root:p@ss@host/db', 'has an @ in the user or password. percent-encode special'],
    ['mysql://root:p/ss@host/db', 'has a / or ? in the user or password'],
    ['mysql://root:p%ss@host/db', 'has a % that begins no character'],
    ['postgres://u:p@h:70000/t', 'names no server that can be read'],
  ])('refuses %s', (address, expected) => {
    expect(mistakes(`[taskd]\ndatabase = ${address}`)).toEqual([expect.stringContaining(expected)])
  })
})

describe('http', () => {
  test.each([
    ['off', undefined],
    ['on', { host: '127.0.0.1', port: 9595 }],
    ['9000', { host: '127.0.0.1', port: 9000 }],
    [':9595', { host: '127.0.0.1', port: 9595 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['[::1]:9595', { host: '::1', port: 9595 }],
  ])('%s', (text, expected) => {
    expect(settingsOf(`http = ${text}`).http).toEqual(expected)
  })

  test.each(['127.0.0.1:99999', 'http://127.0.0.1:9595', '127.0.0.1'])('refuses %s', text => {
    expect(mistakes(`[taskd]\nhttp = ${text}`)).toEqual([
      `cron.ini:2: http = ${text}: is not an address. write for instance 127.0.0.1:9595`,
    ])
  })

  test.each(['0.0.0.0:9595', '10.0.0.1:9595', '[::]:9595', 'web-1:9595'])(
    '%s needs a secret',
    text => {
      expect(mistakes(`[taskd]\nhttp = ${text}`)).toEqual([
        `cron.ini:2: http = ${text}: can be reached from other machines. add secret = (a long random text), or listen on 127.0.0.1`,
      ])
      expect(mistakes(`[taskd]\nhttp = ${text}\nsecret = x`)).toEqual([])
    },
  )
})
