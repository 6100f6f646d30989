import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { selfSigned } from '../support/certificate.ts'
import { linesOf, newDaemon, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'

const SECRET = 'a-secret-that-nobody-guesses'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

interface Asked {
  readonly method?: string
  readonly secret?: string
  readonly body?: object
  readonly ca?: string
  /** Idempotency-Key */
  readonly key?: string | undefined
}

async function ask(port: number, path: string, asked: Asked = {}) {
  const { method = 'GET', secret, body, ca, key } = asked
  const options = {
    host: '127.0.0.1',
    port,
    path,
    method,
    agent: false,
    headers: {
      'content-type': 'application/json',
      ...(secret !== undefined && { secret }),
      ...(key !== undefined && { 'idempotency-key': key }),
    },
  } as const
  const sent =
    ca === undefined
      ? plainRequest(options)
      : tlsRequest({ ...options, ca, servername: 'localhost' })
  const answered = once(sent, 'response')
  sent.end(body && JSON.stringify(body))
  const [response] = (await answered) as [IncomingMessage]
  const text = (await response.toArray()).join('')
  return { status: response.statusCode, text }
}

async function withDoor(taskd: Record<string, string> = {}) {
  const port = await freePort()
  const settings = { http: `127.0.0.1:${port}`, secret: SECRET, ...taskd }
  const daemon = await startDaemon({ taskd: settings })
  return { port, daemon, settings, [Symbol.asyncDispose]: () => daemon.remove() }
}

const redisPid = (daemon: TestDaemon) =>
  waitFor(async () => (await daemon.status()).programs.find(one => one.name === 'redis')?.pid, {
    what: 'Redis runs',
  })

test('a task that is handed in over HTTP runs, and the metrics count it', async () => {
  await using made = await withDoor()
  const { port, daemon } = made
  const script = daemon.script('hello.sh', '#!/bin/sh\necho "$@" >> ran.txt\n')
  const task = { script, controller: 'c', function: 'f', param: 'x=1' }
  const body = { task_key: 'sync_tasks', task, wait: true }
  const push = (secret: string) => ask(port, '/api/tasks/push', { method: 'POST', secret, body })
  expect((await push('wrong')).status).toBe(401)
  const { status, text } = await push(SECRET)
  expect([status, JSON.parse(text)]).toEqual([200, expect.objectContaining({ code: 'succ' })])
  expect(linesOf(join(daemon.dir, 'ran.txt'))).toEqual(['c f x=1'])
  const metrics = await ask(port, '/metrics', { secret: SECRET })
  expect(metrics.text).toMatch(/^taskd_runs_total\{queue="sync_tasks",job="",outcome="succ"\} 1$/m)
  expect(metrics.text).toMatch(/^taskd_queue_oldest_waiting_seconds\{queue="sync_tasks"\} 0$/m)
  expect(metrics.text).toMatch(/^taskd_redis_up 1$/m)
  expect(daemon.log()).not.toContain(SECRET)
})

test('while Redis is frozen it is not ready and answers 503 in a moment; then all is well again', async () => {
  await using made = await withDoor()
  const { port, daemon } = made
  expect((await ask(port, '/readyz')).status).toBe(200)
  const pid = await redisPid(daemon)
  process.kill(pid, 'SIGSTOP')
  try {
    const began = performance.now()
    const body = { task_key: 'sync_tasks', task: { script: '/x.sh' } }
    const push = await ask(port, '/api/tasks/push', { method: 'POST', secret: SECRET, body })
    expect(performance.now() - began).toBeLessThan(1500)
    expect([push.status, JSON.parse(push.text)]).toEqual([
      503,
      { error: { code: 'E_REDIS_AWAY', message: expect.any(String) } },
    ])
    const away = await waitFor(
      async () => {
        const answer = await ask(port, '/readyz')
        return answer.status === 503 && answer
      },
      { what: 'it is not ready' },
    )
    expect(JSON.parse(away.text)).toEqual({ ready: false, reasons: ['Redis is away'] })
    expect((await ask(port, '/healthz')).status).toBe(200)
    const metrics = await ask(port, '/metrics', { secret: SECRET })
    expect(metrics.text).toMatch(/^taskd_redis_up 0$/m)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await waitFor(async () => (await ask(port, '/readyz')).status === 200, { what: 'it is ready' })
})

test('secrets change with a reload; the address waits for a restart', async () => {
  await using made = await withDoor()
  const { port, daemon, settings } = made
  const status = async (secret: string) => (await ask(port, '/api/status', { secret })).status
  daemon.configure({
    taskd: {
      ...settings,
      http: '127.0.0.1:1',
      secret: 'another-good-long-secret',
      secret_read: SECRET,
    },
  })
  const report = await daemon.control.reload()
  expect(report.changes).toEqual([
    expect.stringMatching(/^http: .*taskd restart/),
    expect.stringMatching(/^secret: changed live/),
    expect.stringMatching(/^secret_read: changed live/),
  ])
  expect(await status('another-good-long-secret')).toBe(200)
  expect(await status(SECRET)).toBe(200)
  const drain = await ask(port, '/api/daemon/drain', { method: 'POST', secret: SECRET })
  expect(drain.status).toBe(403)
  expect((await daemon.cli('config')).stdout + daemon.log()).not.toContain('another-good')
})

test('HTTPS takes a new certificate with HUP', async () => {
  const port = await freePort()
  await using daemon = newDaemon()
  const write = () => {
    const made = selfSigned()
    writeFileSync(join(daemon.dir, 'conf/http.crt'), made.cert)
    writeFileSync(join(daemon.dir, 'conf/http.key'), made.key)
    return made.cert
  }
  const first = write()
  const tls = { http_cert: 'http.crt', http_key: 'http.key' }
  daemon.configure({ taskd: { http: `127.0.0.1:${port}`, secret: SECRET, ...tls } })
  await daemon.start()
  expect((await ask(port, '/api/status', { secret: SECRET, ca: first })).status).toBe(200)
  const second = write()
  daemon.signal('SIGHUP')
  const taken = () => ask(port, '/healthz', { ca: second })
  expect((await waitFor(taken, { what: 'it has the new one' })).status).toBe(200)
})

test('a port that is taken ends the start with a line that says so', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  await using daemon = newDaemon({ taskd: { http: `127.0.0.1:${port}` } })
  const { code } = await daemon.spawn()
  expect(code).toBe(1)
  expect(daemon.log()).toContain(
    `cannot listen on 127.0.0.1:${port}: another process listens there`,
  )
  expect(daemon.processes()).toEqual([])
  other.close()
})

test('open connections and waits do not hold up a stop', async () => {
  await using made = await withDoor()
  const { port, daemon } = made
  const idle = connect(port, '127.0.0.1')
  await once(idle, 'connect')
  const began = performance.now()
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  expect(performance.now() - began).toBeLessThan(10_000)
  idle.destroy()
})

test('who may only push runs no script but those of jobs, of bin_path and of script_allow', async () => {
  const port = await freePort()
  await using daemon = newDaemon()
  const job = daemon.script('job.sh', '#!/bin/sh\necho job "$@" >> ran.txt\n')
  const allowed = daemon.script('allowed.sh', '#!/bin/sh\necho allowed "$@" >> ran.txt\nexit 1\n')
  const other = daemon.script('other.sh', '#!/bin/sh\necho other >> ran.txt\nexit 1\n')
  const settings = {
    http: `127.0.0.1:${port}`,
    secret: SECRET,
    secret_push: 'one-that-only-pushes',
  }
  const ini = `[job]\ntask_key = sync_tasks\nrun_time = 0 0 1 1 *\nscript = ${job}\n`
  daemon.configure({ taskd: { ...settings, script_allow: allowed }, ini })
  await daemon.start()
  const post = async (path: string, secret: string, body: object) => {
    const { status, text } = await ask(port, path, { method: 'POST', secret, body })
    return { status, json: JSON.parse(text) as { error?: { code: string; message: string } } }
  }
  const push = (secret: string, script: string, rest: object = {}) =>
    post('/api/tasks/push', secret, {
      task_key: 'sync_tasks',
      task: { script, ...rest },
      wait: true,
    })
  const only = 'one-that-only-pushes'
  const shell = { controller: '-c', function: `cat ${daemon.config} > ${daemon.dir}/stolen` }
  const refused = await push(only, '/bin/sh', shell)
  expect([refused.status, refused.json.error]).toEqual([
    403,
    { code: 'E_SCOPE', message: expect.stringMatching(/\/bin\/sh.*scope push.*script_allow/) },
  ])
  expect((await push(only, other)).status).toBe(403)
  expect((await push(only, `${daemon.dir}/../../bin/sh`, shell)).status).toBe(403)
  expect((await push(only, job, { unique_task_id: 'cron-job-1795255200000' })).status).toBe(400)
  expect((await push(only, job, { controller: 'c' })).json).toMatchObject({ code: 'succ' })
  expect((await push(only, allowed, { unique_task_id: 'a' })).json).toMatchObject({ code: 'fail' })
  expect((await push(SECRET, other, { unique_task_id: 'o' })).json).toMatchObject({ code: 'fail' })
  const ran = () => linesOf(join(daemon.dir, 'ran.txt'))
  expect(ran()).toEqual(['job c  ', 'allowed   ', 'other'])

  const retry = (secret: string, unique_task_id: string) =>
    post('/api/tasks/retry', secret, { unique_task_id })
  expect((await retry(only, 'o')).json.error?.code).toBe('E_SCOPE')
  expect((await retry(only, 'a')).status).toBe(200)
  expect((await retry(SECRET, 'o')).status).toBe(200)
  await waitFor(() => ran().length === 5, { what: 'both have run again' })
  expect(ran().toSorted()).toEqual(['allowed   ', 'allowed   ', 'job c  ', 'other', 'other'])

  // The list is that of the moment.
  daemon.configure({ taskd: settings, ini })
  await daemon.control.reload()
  expect((await push(only, allowed)).status).toBe(403)
  expect((await retry(only, 'a')).status).toBe(403)
})

test('without a secret this machine may push what is allowed, and acts by the socket alone', async () => {
  const port = await freePort()
  await using daemon = newDaemon()
  const job = daemon.script('job.sh', '#!/bin/sh\ntrue\n')
  const ini = `[job]\ntask_key = sync_tasks\nrun_time = 0 0 1 1 *\nscript = ${job}\n`
  daemon.configure({ taskd: { http: `127.0.0.1:${port}` }, ini })
  await daemon.start()
  const post = async (path: string, body: object) =>
    (await ask(port, path, { method: 'POST', body })).status
  expect((await ask(port, '/api/status')).status).toBe(200)
  const task = { script: job }
  expect(await post('/api/tasks/push', { task_key: 'sync_tasks', task })).toBe(200)
  expect(
    await post('/api/tasks/push', { task_key: 'sync_tasks', task: { script: '/bin/sh' } }),
  ).toBe(403)
  expect(await post('/api/tasks/run', { job: 'job' })).toBe(403)
  expect(await post('/api/queues/pause', { names: ['job'] })).toBe(403)
  expect(await post('/api/daemon/shutdown', {})).toBe(403)
  expect((await daemon.cli('pause', 'job')).code).toBe(0)
  expect((await daemon.cli('push', 'sync_tasks', '--script', '/bin/true', '--wait')).code).toBe(0)
  expect((await daemon.cli('check')).stdout).toMatch(
    /note: .*http.* has no secret: every user of this/,
  )
  expect((await daemon.cli('doctor')).stdout).toMatch(/warn +http +127\.0\.0\.1:\d+ has no secret/)
})

test('no process but the daemon has its secrets and addresses in the environment', async () => {
  const port = await freePort()
  const env = {
    TASKD_SECRET: 'canary-all',
    TASKD_SECRET_READ: 'canary-read',
    TASKD_SECRET_PUSH: 'canary-push',
    TASKD_SECRET_PULL: 'canary-pull',
    TASKD_REDIS: 'embedded',
    TASKD_DATABASE: 'sqlite:canary.db',
    TASKD_STOP_WAIT: '5s',
  }
  const sleeper =
    '[program:sleeper]\ncommand = sleep 1000\n[program:sleeping]\ncommand = /bin/sh -c "sleep 1001"\n'
  await using daemon = newDaemon({ env, taskd: { http: `127.0.0.1:${port}` }, ini: sleeper })
  const script = daemon.script('dump.sh', '#!/bin/sh\nenv > dumped.txt\nexec sleep 1002\n')
  await daemon.start()
  expect((await ask(port, '/api/status', { secret: 'canary-read' })).status).toBe(200)
  const held = ask(port, '/api/tasks/push', {
    method: 'POST',
    secret: 'canary-all',
    body: { task_key: 'async_tasks', task: { script, max_run_time: 100 }, wait: true },
  }).catch(() => undefined)
  await waitFor(() => linesOf(join(daemon.dir, 'dumped.txt')).length, { what: 'the script runs' })
  const others = descendantsOf(daemon.pid)
  const commands = others.map(pid =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '),
  )
  for (const kind of [
    'redis-server',
    'workers/main.js',
    'launcher',
    'sleep 1000',
    'sleep 1001',
    'sleep 1002',
  ])
    expect(commands.join('\n')).toContain(kind)
  for (const [n, pid] of others.entries())
    expect([commands[n], readFileSync(`/proc/${pid}/environ`, 'latin1')]).toEqual([
      commands[n],
      expect.not.stringMatching(/canary|TASKD_(?:SECRET|REDIS|DATABASE)/),
    ])
  await daemon.stop()
  await held
})

/** All processes that it has started, and theirs. */
function descendantsOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  return children
    .filter(one => one !== '')
    .map(Number)
    .flatMap(one => [one, ...descendantsOf(one)])
}

test('a call with a name makes one task, however often it is repeated and whatever Redis did', async () => {
  const port = await freePort()
  await using daemon = newDaemon()
  const script = daemon.script('once.sh', '#!/bin/sh\necho "$1" >> ran.txt\n')
  const settings = { http: `127.0.0.1:${port}`, secret: SECRET, bin_path: '.' }
  const ini = `[job]\ntask_key = sync_tasks\nrun_time = 0 0 1 1 *\nscript = ${script}\ncontroller = job\n`
  daemon.configure({ taskd: settings, ini })
  await daemon.start()
  const call = async (path: string, body: object, key?: string) => {
    const { status, text } = await ask(port, path, { method: 'POST', secret: SECRET, body, key })
    return {
      status,
      ...(JSON.parse(text) as { unique_task_id?: string; uuid?: string; error?: object }),
    }
  }
  const task = { script, controller: 'pushed' }
  const push = (key?: string, more: object = {}) =>
    call('/api/tasks/push', { task_key: 'async_tasks', task: { ...task, ...more } }, key)
  const ran = () => linesOf(join(daemon.dir, 'ran.txt')).toSorted()

  const pid = await redisPid(daemon)
  process.kill(pid, 'SIGSTOP')
  const lost = await push('a').finally(() => process.kill(pid, 'SIGCONT'))
  expect([lost.status, lost.error]).toEqual([
    503,
    {
      code: 'E_REDIS_AWAY',
      message: expect.stringMatching(/may have been taken.*same Idempotency-Key/),
    },
  ])
  const first = await waitFor(
    async () => {
      const answer = await push('a')
      return answer.status === 200 && answer
    },
    { what: 'Redis is back' },
  )
  expect(await push('a')).toEqual(first)
  await waitFor(() => ran().length === 1, { what: 'it has run' })
  expect(await push('a')).toEqual(first)
  const other = await push('a', { controller: 'other' })
  expect([other.status, other.error]).toEqual([
    422,
    { code: 'E_KEY_USED', message: expect.stringContaining('another request') },
  ])
  // The order of the keys of a body says nothing.
  const turned = { task: { controller: 'pushed', script }, task_key: 'async_tasks' }
  expect((await call('/api/tasks/push', turned, 'a')).unique_task_id).toBe(first.unique_task_id)

  const runs = [await call('/api/tasks/run', { job: 'job' }, 'a')]
  runs.push(await call('/api/tasks/run', { job: 'job' }, 'a'))
  expect(runs[1]).toEqual(runs[0])
  const bin = { bin_name: 'once.sh', args: 'bin' }
  const named = [await call('/api/task/script', bin, 'a'), await call('/api/task/script', bin, 'a')]
  expect(named[1]).toEqual(named[0])
  const uuid = '019F6C2E-8d1a-7c43-9a55-2f0c6c1d3b7e'
  for (let n = 0; n < 2; n += 1)
    expect(await call('/api/task/script', { ...bin, uuid })).toEqual({
      status: 200,
      uuid: uuid.toLowerCase(),
    })
  expect((await call('/api/task/script', { ...bin, uuid, args: 'x' })).status).toBe(422)
  expect((await call('/api/task/script', { ...bin, uuid: 'cron-job-1' })).status).toBe(400)
  expect((await push('ü')).status).toBe(400)
  await waitFor(() => ran().length === 4, { what: 'all have run' })
  expect(ran()).toEqual(['bin', 'bin', 'job', 'pushed'])
})

test('a reload after a drain ends while Redis is frozen', async () => {
  await using made = await withDoor()
  const { daemon, settings } = made
  await daemon.control.drain()
  const pid = await redisPid(daemon)
  process.kill(pid, 'SIGSTOP')
  try {
    daemon.configure({ taskd: settings, ini: '[queue:new]\nworkers = 1\n' })
    const began = performance.now()
    expect((await daemon.control.reload()).applied).toBe(true)
    expect(performance.now() - began).toBeLessThan(10_000)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
})
