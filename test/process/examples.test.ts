import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRedis, type TestServer } from '../support/servers.ts'

const run = promisify(execFile)

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, whatever its exit code. */
async function outcomeOf(
  command: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  const [file = '', ...args] = command
  try {
    const done = await run(file, args, { env: { ...process.env, ...env } })
    return { code: 0, ...done }
  } catch (error) {
    return error as Outcome
  }
}

const php = (...args: string[]) => outcomeOf(['php', 'examples/php/index.php', ...args])

const lastLine = (text: string) => JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as unknown

describe('task scripts', () => {
  it('report.mjs says what it does and answers on the last line', async () => {
    const file = 'examples/node/report.mjs'
    const { code, stdout } = await outcomeOf([process.execPath, file, 'api/R', 'execute', 'rows=2'])
    expect(code).toBe(0)
    expect(stdout.split('\n')).toHaveLength(5)
    expect(lastLine(stdout)).toEqual({
      code: 'succ',
      msg: '2 rows, total 300',
      data: { rows: 2, total: 300 },
    })
  })

  it('heartbeat.mjs answers with what taskd told it', async () => {
    const env = { TASKD_TASK_ID: 'id-7', TASKD_WORKER_ID: 'n-async_tasks-1', TASKD_ATTEMPT: '2' }
    const { stdout } = await outcomeOf([process.execPath, 'examples/node/heartbeat.mjs'], env)
    expect(lastLine(stdout)).toMatchObject({
      code: 'succ',
      data: { task: 'id-7', worker: 'n-async_tasks-1', attempt: 2 },
    })
  })

  it('failing.mjs answers code fail, or exits as it is told', async () => {
    const file = [process.execPath, 'examples/node/failing.mjs', 'api/Bill']
    const answered = await outcomeOf([...file, 'execute', ''])
    expect(answered.code).toBe(0)
    expect(lastLine(answered.stdout)).toMatchObject({ code: 'fail' })
    const crashed = await outcomeOf([...file, 'crash', 'exit=3'])
    expect(crashed).toMatchObject({ code: 3, stdout: '', stderr: 'the bank did not answer\n' })
  })

  it('index.php hands the query to the function of the controller', async () => {
    const { code, stdout } = await php('api/AccumulatePay', 'execute', 'a%5Bb%5D=1&c=%E5%80%BC')
    expect(code).toBe(0)
    expect(lastLine(stdout)).toEqual({
      code: 'succ',
      msg: 'added 10 points',
      data: { a: { b: '1' }, c: '值' },
    })
  })

  it.each([
    ['no such controller', 'api/Nobody', 'execute'],
    ['no such controller', '../index', 'execute'],
    ['no such controller', 'api//AccumulatePay', 'execute'],
    ['no such function', 'api/AccumulatePay', 'nobody'],
    ['no such function', 'api/AccumulatePay', '__construct'],
    ['nothing to refund', 'api/AccumulatePay', 'refund'],
  ])('index.php answers fail, "%s", to %s %s', async (msg, controller, method) => {
    const { code, stdout } = await php(controller, method, '')
    expect(code).toBe(0)
    expect(lastLine(stdout)).toMatchObject({ code: 'fail', msg: expect.stringContaining(msg) })
  })
})

const TASK =
  '"script":"/var/www/points/index.php","controller":"api/AccumulatePay","function":"execute","param":{"字段1":"字段1值"}'
const WORDS = ['/var/www/points/index.php', 'api/AccumulatePay', 'execute', '{"字段1":"字段1值"}']

describe.each([
  ['push.php', ['php', resolve('examples/producers/push.php')]],
  ['push.py', ['python3', resolve('examples/producers/push.py')]],
  ['push.sh', ['sh', resolve('examples/producers/push.sh')]],
])('%s', (_, producer) => {
  let server: TestServer
  let redis: Redis
  const push = (...args: string[]) =>
    outcomeOf([...producer, ...args], { REDIS_SOCKET: server.path, REPLY_TIMEOUT: '20' })

  beforeAll(async () => {
    server = await startRedis()
    redis = new Redis(server.path)
  })
  afterAll(async () => {
    redis.disconnect()
    await server.remove()
  })

  it('puts the task on the list, as the message is documented', async () => {
    expect(await push('async_tasks', ...WORDS)).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await redis.lrange('async_tasks', 0, -1)).toEqual([`{"task_key":"async_tasks",${TASK}}`])
  })

  it('needs no more than the queue and the script, whatever characters these have', async () => {
    const script = '/srv/a "b" \\c;$(d) é.sh'
    expect(await push('odd', script)).toEqual({ code: 0, stdout: '', stderr: '' })
    const [message] = await redis.lrange('odd', 0, -1)
    expect(JSON.parse(message ?? '')).toEqual({
      task_key: 'odd',
      script,
      controller: '',
      function: '',
      param: '',
    })
  })

  it.each([
    ['succ', 0],
    ['fail', 1],
  ])('--wait: prints the answer; %s is exit code %i', async (code, exit) => {
    const answer = JSON.stringify({ code, msg: 'done: 值', data: { code: 'succ' } })
    const pushed = push('--wait', `sync-${code}`, ...WORDS)
    const taken = new Redis(server.path)
    try {
      const [, message] = (await taken.brpop(`sync-${code}`, 20)) ?? []
      const { reply_to: replyTo, ...rest } = JSON.parse(message ?? '') as { reply_to: string }
      expect(rest).toEqual(JSON.parse(`{"task_key":"sync-${code}",${TASK}}`))
      expect(replyTo).toMatch(/^reply:[0-9a-f]{32}$/)
      await redis.lpush(replyTo, answer)
      expect(await pushed).toMatchObject({ code: exit, stdout: `${answer}\n`, stderr: '' })
    } finally {
      taken.disconnect()
    }
  })

  it('--wait: no answer in time is told, exit code 1', async () => {
    const env = { REDIS_SOCKET: server.path, REPLY_TIMEOUT: '1' }
    const { code, stderr } = await outcomeOf([...producer, '--wait', 'silent', '/x.php'], env)
    expect(code).toBe(1)
    expect(stderr).toContain('no answer in time')
  })

  it('what Redis refuses is told, exit code 1', async () => {
    await redis.set('not-a-list', '1')
    const { code, stdout, stderr } = await push('not-a-list', '/x.php')
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('WRONGTYPE')
  })

  it('Redis away: one line, exit code 1', async () => {
    const env = { REDIS_SOCKET: join(server.dir, 'nobody.sock') }
    const { code, stderr } = await outcomeOf([...producer, 'q', '/x.php'], env)
    expect(code).toBe(1)
    expect(stderr).toMatch(/No such file or directory/)
    expect(stderr).not.toContain('Traceback')
  })

  it('too few words: how it is called, exit code 2', async () => {
    const { code, stderr } = await push('async_tasks')
    expect(code).toBe(2)
    expect(stderr).toContain('TASK_KEY SCRIPT')
  })
})

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

it('every producer reaches Redis by TCP as well', async () => {
  const port = await freePort()
  await using server = await startRedis({ args: ['--bind', '127.0.0.1', '--port', String(port)] })
  const redis = new Redis(server.path)
  try {
    const env = { REDIS_SOCKET: '', REDIS_PORT: String(port) }
    const commands = [
      ['php', 'examples/producers/push.php'],
      ['python3', 'examples/producers/push.py'],
      ['sh', 'examples/producers/push.sh'],
    ]
    for (const command of commands)
      expect(await outcomeOf([...command, 'tcp', '/x.php'], env)).toMatchObject({ code: 0 })
    expect(await redis.llen('tcp')).toBe(commands.length)
  } finally {
    redis.disconnect()
  }
})

describe('producers of a Redis that asks for a password', () => {
  const PASSWORD = 'p ss"wörd$1'
  const producers = [
    ['php', 'examples/producers/push.php'],
    ['python3', 'examples/producers/push.py'],
    ['sh', 'examples/producers/push.sh'],
  ]
  let server: TestServer
  let redis: Redis

  beforeAll(async () => {
    server = await startRedis()
    redis = new Redis(server.path)
    await redis.call('ACL', 'SETUSER', 'producer', 'on', `>${PASSWORD}`, '~*', '+@all')
    await redis.config('SET', 'requirepass', PASSWORD)
  })
  afterAll(async () => {
    redis.disconnect()
    await server.remove()
  })

  it.each(producers)('%s %s gives the password, of a user too', async (...command) => {
    const push = (env: NodeJS.ProcessEnv) =>
      outcomeOf([...command, 'secret', '/x.php'], { REDIS_SOCKET: server.path, ...env })
    const told = { code: 0, stdout: '', stderr: '' }
    await redis.del('secret')
    expect(await push({ REDIS_PASSWORD: PASSWORD })).toEqual(told)
    expect(await push({ REDIS_PASSWORD: PASSWORD, REDIS_USERNAME: 'producer' })).toEqual(told)
    expect(await redis.llen('secret')).toBe(2)
  })

  it.each(producers)('%s %s says when it is wrong or missing', async (...command) => {
    const push = (env: NodeJS.ProcessEnv) =>
      outcomeOf([...command, 'refused', '/x.php'], { REDIS_SOCKET: server.path, ...env })
    const missing = await push({})
    expect(missing.code).toBe(1)
    expect(missing.stderr).toContain('NOAUTH')
    const wrong = await push({ REDIS_PASSWORD: 'other' })
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toMatch(/WRONGPASS|NOAUTH/)
    expect(await redis.llen('refused')).toBe(0)
  })
})
