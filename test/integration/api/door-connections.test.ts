import { once } from 'node:events'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { waitFor } from '../../support/wait.ts'
import { codeOf, openDoor, whole } from './open-door.ts'

const HOST = 'Host: 127.0.0.1\r\n'
const quick = { checkMs: 20 }

/** Writes one byte of a text after another, until the connection is closed. */
function drip(socket: Socket, text: string, everyMs: number): void {
  let at = 0
  const timer = setInterval(() => {
    if (socket.writable && at < text.length) socket.write(text[at++] ?? '')
  }, everyMs)
  socket.once('close', () => clearInterval(timer))
}

test('headers that come byte by byte are cut off with a word', async () => {
  await using door = await openDoor({ limits: { ...quick, headersMs: 200, requestMs: 5000 } })
  const socket = await door.raw()
  drip(socket, `GET /healthz HTTP/1.1\r\n${HOST}${'X: y\r\n'.repeat(10_000)}`, 10)
  const began = performance.now()
  expect(await whole(socket)).toMatch(/^HTTP\/1\.1 408 .*"code":"E_SLOW"/s)
  expect(performance.now() - began).toBeLessThan(3000)
})

test('a body that comes byte by byte is cut off too, and asks nothing', async () => {
  await using door = await openDoor({ limits: { ...quick, headersMs: 200, requestMs: 300 } })
  const socket = await door.raw()
  const head = `POST /api/tasks/push HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: 9999\r\n\r\n`
  socket.write(head)
  drip(socket, 'x'.repeat(9999), 10)
  const answer = await whole(socket)
  expect(answer).toMatch(/^(HTTP\/1\.1 408 .*)?$/s)
  expect(door.control.calls).toEqual([])
})

test('a connection that says nothing is not kept', async () => {
  await using door = await openDoor({ limits: { ...quick, headersMs: 100, requestMs: 100 } })
  const socket = await door.raw()
  await whole(socket)
  expect(socket.destroyed).toBe(true)
})

test('a connection that is done, and half of one that is gone, are kept only so long', async () => {
  await using door = await openDoor({ limits: { ...quick, keepAliveMs: 100 } })
  const socket = await door.raw()
  socket.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`)
  expect(await whole(socket)).toMatch(/^HTTP\/1\.1 200 /)
})

test('whoever waits for an answer may wait longer than all of these', async () => {
  const limits = { checkMs: 20, headersMs: 50, requestMs: 50, keepAliveMs: 50, stalledMs: 50 }
  let finish = () => undefined as unknown
  const over = new Promise<void>(resolve => {
    finish = resolve
  })
  await using door = await openDoor({
    limits,
    secrets: { all: 'hush' },
    answers: { drain: () => over.then(() => ({ running: 3 })) },
  })
  const answer = door.ask('/api/daemon/drain', { method: 'POST', headers: { secret: 'hush' } })
  await waitFor(() => door.control.calls.length, { what: 'the request has come' })
  // Ten times as long as each of the limits.
  await new Promise(resolve => setTimeout(resolve, 500))
  finish()
  expect((await answer).json()).toEqual({ running: 3 })
})

test('whoever asks and does not read the answer is let go', async () => {
  const jobs = 'x'.repeat(64 << 20)
  await using door = await openDoor({
    limits: { ...quick, stalledMs: 200 },
    answers: {
      tail: async () =>
        (async function* () {
          for (let n = 0; n < 64; n += 1) yield Buffer.from(jobs.slice(0, 1 << 20))
        })(),
    },
  })
  const socket = await door.raw()
  socket.pause()
  socket.write(`GET /api/tail?name=a HTTP/1.1\r\n${HOST}\r\n`)
  const left = once(socket, 'close')
  await waitFor(async () => (await connectionsOf(door.door.port)) === 0, {
    what: 'the server has closed it',
  })
  socket.destroy()
  await left
  expect((await door.ask('/healthz')).status).toBe(200)
})

test('a client that leaves in the middle of an upload costs nothing and is no error', async () => {
  await using door = await openDoor()
  for (const head of ['Content-Length: 100000', 'Transfer-Encoding: chunked']) {
    const socket = await door.raw()
    socket.write(
      `POST /api/tasks/push HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n${head}\r\n\r\n`,
    )
    socket.write(head.startsWith('C') ? '{"task_key":' : '5\r\n{"tas\r\n')
    await new Promise(resolve => setTimeout(resolve, 20))
    socket.resetAndDestroy()
    await waitFor(async () => (await connectionsOf(door.port)) === 0, { what: 'it is gone' })
  }
  const seen = () => door.logged.filter(([fields]) => 'route' in (fields as object))
  await waitFor(() => seen().length === 2, { what: 'both were noticed' })
  expect(door.logged.filter(([, text]) => /unexpectedly/.test(String(text)))).toEqual([])
  expect(door.control.calls).toEqual([])
})

test('a wait ends when the client resets the connection', async () => {
  await using door = await openDoor({ secrets: { all: 'hush' } })
  const socket = await door.raw()
  const body = '{"job":"a","wait":true}'
  socket.write(
    `POST /api/tasks/run HTTP/1.1\r\n${HOST}Secret: hush\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  const signal = await waitFor(() => door.control.waits[0], { what: 'the wait has begun' })
  socket.resetAndDestroy()
  expect(await waitFor(() => signal.aborted, { what: 'the wait has ended' })).toBe(true)
})

test('a body that is too large is refused by what it says, or as it comes', async () => {
  await using door = await openDoor()
  const headers = { 'content-type': 'application/json' }
  const big = Buffer.alloc((8 << 20) + 1, ' ')
  const said = await door.ask('/api/tasks/push', { method: 'POST', headers, body: big })
  expect([said.status, codeOf(said)]).toEqual([413, 'E_TOO_LARGE'])
  const socket = await door.raw()
  const answer = whole(socket)
  socket.write(
    `POST /api/tasks/push HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
  )
  const chunk = `${(1 << 16).toString(16)}\r\n${' '.repeat(1 << 16)}\r\n`
  await flood(socket, chunk, 140)
  expect(await answer).toMatch(/^HTTP\/1\.1 413 .*E_TOO_LARGE/s)
  expect(door.control.calls).toEqual([])
})

test('an upload without end is cut off for whoever has no secret', async () => {
  await using door = await openDoor({ secrets: { all: 'hush' } })
  const socket = await door.raw()
  const answer = whole(socket)
  socket.write(
    `POST /api/tasks/push HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: ${2 ** 45}\r\n\r\n`,
  )
  const began = performance.now()
  await flood(socket, Buffer.alloc(1 << 20), Number.POSITIVE_INFINITY)
  expect(performance.now() - began).toBeLessThan(5000)
  expect(await answer).toMatch(/^HTTP\/1\.1 401 /)
})

test('more connections than are allowed are dropped, and that is told once', async () => {
  await using door = await openDoor({ maxConnections: 2 })
  const held = [await door.raw(), await door.raw()]
  for (let n = 0; n < 3; n += 1) await whole(await door.raw())
  expect(door.logged.filter(([, text]) => /too many connections/.test(String(text)))).toHaveLength(
    1,
  )
  for (const socket of held) socket.destroy()
  await waitFor(async () => (await door.ask('/healthz')).status === 200, { what: 'there is room' })
})

test('stopping lets answers go out, cuts waits after the limit, and may be repeated', async () => {
  await using door = await openDoor({ limits: { closeMs: 300 }, secrets: { all: 'hush' } })
  const idle = await door.raw()
  idle.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`)
  await once(idle, 'data')
  const wait = door
    .ask('/api/tasks/run', {
      method: 'POST',
      body: 'job=a&wait=true',
      headers: { 'content-type': 'application/x-www-form-urlencoded', secret: 'hush' },
    })
    .catch((error: NodeJS.ErrnoException) => error.code)
  await waitFor(() => door.control.waits[0], { what: 'the wait has begun' })
  const silent = await door.raw()
  const gone = Promise.all([whole(idle), whole(silent)])
  const began = performance.now()
  await Promise.all([door.door.stop(), door.door.stop()])
  expect(performance.now() - began).toBeLessThan(2000)
  await gone
  expect(await wait).toBe('ECONNRESET')
  await door.door.stop()
  await door.door.start()
  expect(door.door.port).toBeGreaterThan(0)
})

test('a port that is taken is one line with what to do', async () => {
  await using door = await openDoor()
  const { HttpDoor } = await import('../../../src/api/door.ts')
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const second = new HttpDoor({ app: door.app, host: '127.0.0.1', port: door.port, log })
  await expect(second.start()).rejects.toThrow(
    expect.objectContaining({
      code: 'E_HTTP',
      message: `cannot listen on 127.0.0.1:${door.port}: another process listens there`,
      hint: expect.stringContaining('[taskd]'),
    }),
  )
  await second.stop()
})

/** Writes a part again and again, as fast as it is taken. */
async function flood(socket: Socket, part: string | Buffer, times: number): Promise<void> {
  for (let n = 0; n < times && !socket.destroyed && socket.writable; n += 1) {
    if (socket.write(part)) continue
    await new Promise<void>(resolve => {
      const go = () => {
        socket.off('drain', go)
        socket.off('close', go)
        resolve()
      }
      socket.on('drain', go)
      socket.on('close', go)
      if (socket.destroyed) go()
    })
  }
}

/** Established connections to a port of this machine, seen from the server's side. */
async function connectionsOf(port: number): Promise<number> {
  const { readFile } = await import('node:fs/promises')
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n')
  return lines.filter(line => {
    const [, local = '', , state] = line.trim().split(/\s+/)
    return local.endsWith(wanted) && state === '01'
  }).length
}

test('more than 100 headers are refused, whatever they hide', async () => {
  await using door = await openDoor()
  const many = (count: number) => 'a: b\r\n'.repeat(count)
  for (const hidden of ['Transfer-Encoding: chunked', `Content-Length: ${2 ** 40}`]) {
    const socket = await door.raw()
    const answer = whole(socket)
    socket.write(`POST /api/tasks/push HTTP/1.1\r\n${HOST}${many(120)}${hidden}\r\n\r\n`)
    await flood(socket, `10000\r\n${' '.repeat(1 << 16)}\r\n`, 2000)
    expect(await answer).toMatch(/^HTTP\/1\.1 431 .*E_TOO_LARGE.*more than 100 headers/s)
  }
  const socket = await door.raw()
  const answer = whole(socket)
  socket.write(`GET /healthz HTTP/1.1\r\n${HOST}Connection: close\r\n${many(98)}\r\n`)
  expect(await answer).toMatch(/^HTTP\/1\.1 200 /)
  expect(door.control.calls).toEqual([])
})
