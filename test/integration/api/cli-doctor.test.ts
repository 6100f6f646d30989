import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Finding } from '../../../src/cli/doctor/finding.ts'
import { askRedis } from '../../../src/cli/doctor/redis-ask.ts'
import { startRedis } from '../../support/servers.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { status } from './fake-control.ts'
import { cli } from './run-cli.ts'
import { serveFake } from './serve-fake.ts'

interface Machine {
  readonly ini?: string
  readonly files?: Readonly<Record<string, string>>
  /** Names of programs on the PATH; each only writes its name. */
  readonly programs?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
}

const REDIS_6 = 'echo "Redis server v=6.2.0 sha=0"'

async function doctor({ ini = '', files = {}, programs = {}, env = {} }: Machine) {
  await using dir = tempDir('taskd-dr-')
  const bin = join(dir.path, 'bin')
  for (const folder of ['conf', 'bin']) mkdirSync(join(dir.path, folder))
  writeFileSync(join(dir.path, 'conf/cron.ini'), ini)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir.path, name), text)
  for (const [name, text] of Object.entries({ 'redis-server': REDIS_6, ...programs })) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  const world = { cwd: dir.path, env: { PATH: bin, ...env } }
  const { code, stdout } = await cli(['doctor', '--json'], world)
  const findings = JSON.parse(stdout) as Finding[]
  const of = (name: string) => findings.filter(one => one.name === name)
  return { code, findings, of, text: (await cli(['doctor'], world)).stdout }
}

const job = (script: string, more = '') => `
[a_${script.replace(/\W/g, '_')}]
task_key = async_tasks
run_time = * * * * *
script = ${script}
controller = c
function = f
param =
${more}`

test('a machine in order has nothing but ok, and is 0', async () => {
  const { code, findings, text } = await doctor({
    ini: job('x.sh') + job('y.php'),
    files: { 'x.sh': '', 'y.php': '' },
    programs: { sh: '', php: '' },
  })
  expect(findings.filter(one => one.level === 'fail')).toEqual([])
  expect(code).toBe(0)
  expect(text.split('\n').filter(line => line.length > 80 && !line.includes('/'))).toEqual([])
})

test.each<[string, Machine, string, string]>([
  [
    'a redis-server that is too old',
    { programs: { 'redis-server': 'echo "Redis server v=5.0.14 sha=0"' } },
    'redis-server',
    '6.2',
  ],
  [
    'a redis-server that is not installed',
    { ini: '[taskd]\nredis_server = no-such-server\n' },
    'redis-server',
    'apt-get install redis-server',
  ],
  ['a script that is not there', { ini: job('gone.sh') }, 'script', 'script'],
  [
    'an interpreter that is not installed',
    { ini: job('x.php'), files: { 'x.php': '' } },
    'interpreter',
    'apt-get install php-cli',
  ],
  [
    'an interpreter of a job that is not installed',
    { ini: job('x.rb', 'interpreter = ruby -W0'), files: { 'x.rb': '' } },
    'interpreter',
    'install it',
  ],
  ['a mistake in the configuration', { ini: '[taskd]\nx = 1\n' }, 'configuration', 'taskd check'],
  [
    'a Redis that does not answer',
    { ini: '[taskd]\nredis = unix:/nowhere/redis.sock\n' },
    'redis',
    'start it',
  ],
  [
    'a database that does not answer',
    { ini: '[taskd]\ndatabase = mysql://root@127.0.0.1:1/task_schedule\n' },
    'database',
    'start it',
  ],
])('doctor finds %s and says how to mend it', async (_what, machine, name, remedy) => {
  const { code, of, text } = await doctor(machine)
  expect(code).toBe(1)
  expect(of(name)).toEqual([
    expect.objectContaining({ level: 'fail', remedy: expect.stringContaining(remedy) }),
  ])
  expect(text).toMatch(new RegExp(`^fail  ${name}`, 'm'))
})

test('doctor tells what starts the scripts', async () => {
  const perl = await doctor({ programs: { perl: '' } })
  expect(perl.of('launcher')).toMatchObject([
    { level: 'ok', message: expect.stringContaining('perl') },
  ])
  const neither = await doctor({})
  expect(neither.of('launcher')).toMatchObject([
    { level: 'warn', remedy: expect.stringContaining('perl-base') },
  ])
  expect(neither.code).toBe(0)
})

test('the interpreter of a disabled job is not missed', async () => {
  const ini = job('x.php', 'enabled = false')
  const { code, of } = await doctor({ ini, files: { 'x.php': '' } })
  expect([code, of('interpreter')]).toEqual([0, []])
})

test('a Redis that may evict tasks is found, and one that may not is fine', async () => {
  await using redis = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] })
  const evicting = await doctor({ ini: `[taskd]\nredis = ${redis.url}\n` })
  expect(evicting.code).toBe(1)
  expect(evicting.of('redis')).toEqual([expect.objectContaining({ level: 'ok' })])
  expect(evicting.of('maxmemory-policy')).toEqual([
    expect.objectContaining({ level: 'fail', message: expect.stringContaining('allkeys-lru') }),
  ])
  await using safe = await startRedis()
  const kept = await doctor({ ini: `[taskd]\nredis = ${safe.url}\n` })
  expect(kept.of('maxmemory-policy')).toEqual([expect.objectContaining({ level: 'ok' })])
})

test('a Redis over TCP is asked with its password, which is never shown', async () => {
  const port = await freePort()
  await using redis = await startRedis({ args: ['--port', String(port), '--bind', '127.0.0.1'] })
  const plain = { connection: { path: redis.path }, user: '', password: '' }
  const set = await askRedis(plain, [['CONFIG', 'SET', 'requirepass', 'p w:@/']])
  expect(set.ok).toBe(true)
  const address = (password: string) =>
    `[taskd]\nredis = redis://:${encodeURIComponent(password)}@127.0.0.1:${port}/0\n`
  const right = await doctor({ ini: address('p w:@/') })
  expect(right.of('maxmemory-policy')).toEqual([expect.objectContaining({ level: 'ok' })])
  const wrong = await doctor({ ini: address('wrong-password') })
  expect(wrong.of('redis')).toEqual([
    expect.objectContaining({ level: 'fail', message: expect.stringMatching(/WRONGPASS|NOAUTH/) }),
  ])
  expect(wrong.text).not.toContain('wrong-password')
})

test('a running daemon is asked about its database', async () => {
  const away = { ...status().database, ok: false, error: 'no route to host', backlog: 3 }
  await using daemon = await serveFake({ status: async () => status({ database: away }) })
  const { code, of } = await doctor({ env: { TASKD_SOCKET: daemon.socket } })
  expect(code).toBe(1)
  expect(of('database')).toEqual([
    expect.objectContaining({ message: expect.stringMatching(/no route to host.*3 failed runs/) }),
  ])
  expect(of('daemon')).toEqual([
    expect.objectContaining({ level: 'ok', message: expect.stringContaining('pid 4242') }),
  ])
})

test('the Redis of a running daemon that does not answer: who can say why', async () => {
  await using daemon = await serveFake()
  const { of } = await doctor({ env: { TASKD_SOCKET: daemon.socket } })
  expect(of('redis')).toMatchObject([{ level: 'fail', remedy: 'taskd why redis says why' }])
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
