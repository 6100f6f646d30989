import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import { maskValue } from '../../../src/config/secrets.ts'
import { anySchedule, configOf, folderOf, load, mistakes, problemsOf } from './load-files.ts'

describe('a secret in a file', () => {
  const folder = () =>
    folderOf({
      redis: 'redis://u:hunter2@h:6379/1\n',
      database: 'mysql://u:hunter2@h/task_schedule\r\n',
      plain: 'hunter2-all-of-it\n',
      at: '@hunter2-with-an-at\n',
      empty: ' \n\n',
      big: 'hunter2'.repeat(10_000),
      binary: Buffer.from('hunter2\0'),
    })

  test('is read for every key of [taskd] that may hold one, without its line end', () => {
    const at = folder()
    const lines = ['redis', 'database'].map(key => `${key} = @${at}/${key}`)
    const keys = ['secret', 'secret_read', 'secret_push', 'secret_pull']
    const secrets = keys.map(key => `${key} = @${at}/plain`)
    expect(configOf(['[taskd]', ...lines, ...secrets].join('\n')).settings).toMatchObject({
      redis: 'redis://u:hunter2@h:6379/1',
      database: 'mysql://u:hunter2@h/task_schedule',
      secret: 'hunter2-all-of-it',
      secretRead: 'hunter2-all-of-it',
      secretPush: 'hunter2-all-of-it',
      secretPull: 'hunter2-all-of-it',
    })
  })

  test('is read for a variable of the environment as well', () => {
    const at = folder()
    const env = { TASKD_SECRET: `@${at}/plain`, TASKD_DATABASE: `@${at}/database` }
    expect(configOf('', env).settings).toMatchObject({
      secret: 'hunter2-all-of-it',
      database: 'mysql://u:hunter2@h/task_schedule',
    })
  })

  test('is read anew at each load', () => {
    const at = folderOf({ 'conf/cron.ini': '', value: 'the first of two secrets' })
    const config = join(at, 'conf/cron.ini')
    writeFileSync(config, `[taskd]\nsecret = @${at}/value`)
    const secret = () => {
      const loaded = loadConfig(config, {}, anySchedule)
      return loaded.ok ? loaded.config.settings.secret : loaded.problems
    }
    expect(secret()).toBe('the first of two secrets')
    writeFileSync(join(at, 'value'), 'the second of two secrets')
    expect(secret()).toBe('the second of two secrets')
  })

  test('may begin with an @, which a value that is written out may not', () => {
    expect(configOf(`[taskd]\nsecret = @${folder()}/at`).settings.secret).toBe(
      '@hunter2-with-an-at',
    )
    const [said] = mistakes('[taskd]\nsecret = @hunter2')
    expect(said).toContain('names no absolute path after the @')
    expect(said).toContain('a value that begins with an @ itself can stand in that file')
    expect(said).not.toContain('hunter2')
  })

  test.each([
    ['gone', /cannot be read: ENOENT.*\/gone.*look at the path and its permissions/],
    ['', /is not a regular file/],
    ['empty', /is an empty file/],
    ['big', /is a file of more than 65536 bytes/],
    ['binary', /is a file that is no text in UTF-8/],
    ['plain', /holds what is not a Redis address. write for instance embedded/],
  ])('@/…/%s is refused without a word of what is in it', (name, expected) => {
    const said = mistakes(`[taskd]\nredis = @${folder()}/${name}`)
    expect(said).toEqual([expect.stringMatching(expected)])
    expect(said[0]).not.toContain('hunter2')
  })

  test('that is a pipe is refused at once: it would never end', () => {
    const at = folderOf({ x: '' })
    execFileSync('mkfifo', [join(at, 'pipe')])
    expect(mistakes(`[taskd]\nsecret = @${at}/pipe`)).toEqual([
      expect.stringContaining('is not a regular file'),
    ])
  })
})

describe('what is shown of a value', () => {
  test.each([
    ['secret', 'hunter2', '***'],
    ['secret_read', 'hunter2', '***'],
    ['encrypt_key', 'v1:hunter2=', '***'],
    ['redis', 'redis://u:hunter2@h:6379/0', 'redis://u:***@h:6379/0'],
    ['redis', 'redis://:hunter2@h', 'redis://:***@h'],
    ['redis', 'redis://u:hun@ter2/a b:c@h', 'redis://u:***@h'],
    ['redis', 'redis://us/er:hunter2@h', 'redis://***@h'],
    ['redis', 'redis://u:hunter2h', 'redis://u:***'],
    ['redis', 'u:hunter2@h', 'u:***@h'],
    ['redis', 'redis:u:hunter2@h', 'redis:***@h'],
    ['redis', 'redis://h:6379/0', 'redis://h:6379/0'],
    ['redis', 'unix:/run/a@b.sock', 'unix:/run/a@b.sock'],
    ['redis', 'cluster://h1:7000,h2:7001?tls=yes', 'cluster://h1:7000,h2:7001?tls=yes'],
    [
      'redis',
      'sentinel://u:hunter2@h1,h2/m?sentinel_password=hunter2&db=1',
      'sentinel://u:***@h1,h2/m?sentinel_password=***&db=1',
    ],
    ['database', 'postgres://taskd@/x?host=/run', 'postgres://taskd@/x?host=/run'],
    ['database', 'mysql://u:p w hunter2@h/d', 'mysql://u:***@h/d'],
    ['database', '@/run/secrets/x', '@/run/secrets/x'],
    ['url', 'https://h.example/services/T0/hunter2?x=hunter2', 'https://h.example/***?x=***'],
    ['encrypt_url', 'https://h.example/?key=hunter2', 'https://h.example/?key=***'],
    ['mail', 'smtp://u:hunter2@m:587', 'smtp://u:***@m:587'],
    ['environment', 'A=x,DB_PASSWORD="hun\\"ter2, x",B=y', 'A=x,DB_PASSWORD=***,B=y'],
    ['environment', "TOKEN='hunter2',B=y", 'TOKEN=***,B=y'],
    ['environment', 'TOKEN=hunter2 & more,B=y', 'TOKEN=***,B=y'],
    ['param', 'user=7&api_key=hunter2,x&b=1', 'user=7&api_key=***&b=1'],
    ['param', '{"password": "hunter2 x", "a": 1}', '{"password": ***, "a": 1}'],
    ['command', 'mysql --password hunter2 -h db', 'mysql --password *** -h db'],
    ['command', 'mysql --password="hunter2 x" db', 'mysql --password=*** db'],
    ['command', 'curl -H "Authorization: Bearer hunter2"', 'curl -H "Authorization: *** ***"'],
    ['command', 'curl -H "Authorization: Basic hunter2"', 'curl -H "Authorization: *** ***"'],
    ['command', 'curl http://u:hunter2@h/x', 'curl http://u:***@h/x'],
    ['command', 'curl http://h:80/x', 'curl http://h:80/x'],
    ['script', '/srv/points/index.php', '/srv/points/index.php'],
    ['run_time', '*/5 * * * *', '*/5 * * * *'],
  ])('%s = %s', (key, value, expected) => {
    expect(maskValue(key, value, '***')).toBe(expected)
  })
})

describe('a mistake does not tell', () => {
  const said = (text: string, env = {}) =>
    JSON.stringify(problemsOf(load({ 'conf/cron.ini': text }, env)))

  test.each([
    ['a secret that no header can carry', '[taskd]\nsecret = hunter2\u0001'],
    ['a secret that goes on below', '[taskd]\nsecret = "x\n  hunter2'],
    ['a key that goes on below', '[channel:x]\nencrypt_key = v1:a\n  v2:hunter2='],
    ['a password in a misspelt key', '[taskd]\ndatabse = u:hunter2@h/d'],
    ['a misspelt scheme', '[taskd]\nredis = rediss:u:hunter2@h'],
    ['a forgotten @', '[taskd]\nredis = redis://u:hunter2h'],
    ['a password of many characters', `[taskd]\nredis = x://u:${'hunter2'.repeat(4000)}@h`],
  ])('%s', (_, text) => {
    expect(said(text)).not.toBe('[]')
    expect(said(text)).not.toContain('hunter2')
  })

  test('what a variable holds', () => {
    const env = { TASKD_REDIS: 'redis:u:hunter2@h', TASKD_SECRET: 'hunter2\u0001' }
    expect(said('', env)).toContain('TASKD_SECRET')
    expect(said('', env)).not.toContain('hunter2')
  })
})
