import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
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
}

async function ask(port: number, path: string, asked: Asked = {}) {
  const { method = 'GET', secret, body, ca } = asked
  const options = {
    host: '127.0.0.1',
    port,
    path,
    method,
    agent: false,
    headers: {
      'content-type': 'application/json',
      ...(secret !== undefined && { secret }),
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
  daemon.status().then(status => status.programs.find(one => one.name === 'redis')?.pid ?? 0)

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
