import { once } from 'node:events'
import { existsSync, linkSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createApp } from '../../../src/api/app.ts'
import { createClient } from '../../../src/api/client.ts'
import { SocketServer } from '../../../src/api/listen.ts'
import { requestUnix } from '../../../src/api/unix-request.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { waitFor } from '../../support/wait.ts'
import { fakeControl, job, status } from './fake-control.ts'
import { serveFake } from './serve-fake.ts'

const never = new AbortController().signal
const app = createApp(fakeControl(), { error: () => undefined })

test('owner and group may use the socket, others may not', async () => {
  await using daemon = await serveFake()
  expect(statSync(daemon.socket).mode & 0o777).toBe(0o660)
})

test('stopping removes the socket and may be repeated, and it can start again', async () => {
  await using daemon = await serveFake()
  await daemon.server.stop()
  await daemon.server.stop()
  expect(existsSync(daemon.socket)).toBe(false)
  await daemon.server.start()
  expect((await daemon.client.status()).node).toBe('web-1')
})

test('the socket of a dead daemon is replaced', async () => {
  await using dir = tempDir()
  const path = join(dir.path, 'taskd.sock')
  await leaveStaleSocket(path)
  const server = new SocketServer({ app, path })
  await server.start()
  expect((await createClient(path).status()).node).toBe('web-1')
  await server.stop()
})

test('the socket of a living daemon is left alone, and the error says so', async () => {
  await using daemon = await serveFake()
  const second = new SocketServer({ app, path: daemon.socket })
  await expect(second.start()).rejects.toThrow(expect.objectContaining({ code: 'E_RUNNING' }))
  expect((await daemon.client.status()).node).toBe('web-1')
})

test('a file of somebody else is left alone, and the error says so', async () => {
  await using dir = tempDir()
  const path = join(dir.path, 'taskd.sock')
  writeFileSync(path, 'diary')
  await expect(new SocketServer({ app, path }).start()).rejects.toThrow(
    expect.objectContaining({ code: 'E_SOCKET', message: expect.stringContaining('no socket') }),
  )
  expect(readFileSync(path, 'utf8')).toBe('diary')
})

test('a folder that is not there is an error with the path', async () => {
  await using dir = tempDir()
  const path = join(dir.path, 'none/taskd.sock')
  await expect(new SocketServer({ app, path }).start()).rejects.toThrow(
    expect.objectContaining({ code: 'E_SOCKET', message: expect.stringContaining(path) }),
  )
})

test('a wait ends when the client goes away', async () => {
  await using daemon = await serveFake()
  const leave = new AbortController()
  const request = { task_key: 'q', task: { script: 'x' }, wait: true }
  const waiting = daemon.client.push(request, leave.signal)
  const signal = await waitFor(() => daemon.control.waits[0], { what: 'the wait has begun' })
  expect(signal.aborted).toBe(false)
  leave.abort()
  await expect(waiting).rejects.toThrow(/abort/i)
  await waitFor(() => signal.aborted, { what: 'the wait has ended' })
  // It ended for that client only.
  expect((await daemon.client.status()).node).toBe('web-1')
})

test('a wait on a job ends when the client goes away', async () => {
  await using daemon = await serveFake()
  const leave = new AbortController()
  const waiting = daemon.client.runJob('a', { wait: true }, leave.signal)
  const signal = await waitFor(() => daemon.control.waits[0], { what: 'the wait has begun' })
  leave.abort()
  await expect(waiting).rejects.toThrow(/abort/i)
  await waitFor(() => signal.aborted, { what: 'the wait has ended' })
})

test('stopping lets an answer go out that is nearly done', async () => {
  const gate = new AbortController()
  await using daemon = await serveFake({
    drain: async () => {
      await once(gate.signal, 'abort')
      return { running: 5 }
    },
  })
  const answer = daemon.client.drain()
  await waitFor(() => daemon.control.calls.length, { what: 'the request has come' })
  const stopped = daemon.server.stop()
  gate.abort()
  expect(await answer).toEqual({ running: 5 })
  await stopped
})

test('stopping cuts a wait that outlasts the limit, and the client says what happened', async () => {
  await using daemon = await serveFake()
  const request = { task_key: 'q', task: { script: 'x' }, wait: true }
  const failure = daemon.client.push(request, never).catch((error: unknown) => error)
  await waitFor(() => daemon.control.waits[0], { what: 'the wait has begun' })
  await daemon.server.stop()
  expect(await failure).toMatchObject({ code: 'E_GONE' })
  await waitFor(() => daemon.control.waits[0]?.aborted, { what: 'the wait has ended' })
})

test('nobody listening is told as no daemon, with what to do', async () => {
  await using dir = tempDir()
  const path = join(dir.path, 'taskd.sock')
  const expected = expect.objectContaining({
    code: 'E_NO_DAEMON',
    message: expect.stringContaining(path),
    hint: expect.stringContaining('taskd start'),
  })
  await expect(createClient(path).status()).rejects.toThrow(expected)
  await leaveStaleSocket(path)
  await expect(createClient(path).status()).rejects.toThrow(expected)
})

test('a daemon that does not answer is told as a timeout', async () => {
  await using dir = tempDir()
  const path = join(dir.path, 'taskd.sock')
  const silent = createServer().listen(path)
  await once(silent, 'listening')
  await expect(createClient(path, 50).status()).rejects.toThrow(
    expect.objectContaining({ code: 'E_TIMEOUT', message: expect.stringContaining('0.05 s') }),
  )
  silent.close()
})

test('something else on the socket is told as such', async () => {
  await using dir = tempDir()
  const path = join(dir.path, 'taskd.sock')
  const other = createServer(socket => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi'))
  }).listen(path)
  await once(other, 'listening')
  await expect(createClient(path).status()).rejects.toThrow(
    expect.objectContaining({ code: 'E_NOT_TASKD' }),
  )
  other.close()
})

test('malformed JSON is a bad request', async () => {
  await using daemon = await serveFake()
  const sent = request({
    socketPath: daemon.socket,
    method: 'POST',
    path: '/api/tasks/cancel',
    headers: { 'content-type': 'application/json' },
  }).end('{"unique_task_id":')
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  expect(response.statusCode).toBe(400)
  response.resume()
})

test('ten thousand jobs in a status arrive whole', async () => {
  const jobs = Array.from({ length: 10_000 }, (_, index) => job(`作业_${index}`))
  await using daemon = await serveFake({ status: async () => status({ jobs }) })
  expect((await daemon.client.status()).jobs).toEqual(jobs)
})

/** As a KILLed daemon leaves it: a second name keeps the file when the server closes the first. */
async function leaveStaleSocket(path: string): Promise<void> {
  const server = createServer().listen(`${path}.first`)
  await once(server, 'listening')
  linkSync(`${path}.first`, path)
  server.close()
  await once(server, 'close')
  const answer = requestUnix({ socket: path, method: 'GET', path: '/' })
  await expect(answer).rejects.toThrow(/ECONNREFUSED/)
}
