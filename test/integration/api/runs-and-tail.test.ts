import { once } from 'node:events'
import { request } from 'node:http'
import { expect, test } from 'vitest'
import type { Control } from '../../../src/api/control.ts'
import { TaskdError } from '../../../src/lib/errors.ts'
import { waitFor } from '../../support/wait.ts'
import { runRecord } from './fake-control.ts'
import { cli } from './run-cli.ts'
import { serveFake } from './serve-fake.ts'

const NEVER = new AbortController().signal

async function against(answers: Partial<Control>, ...argv: string[]) {
  await using daemon = await serveFake(answers)
  const env = { TASKD_SOCKET: daemon.socket }
  const result = await cli(argv, { env, cwd: daemon.dir })
  return { ...result, calls: daemon.control.calls }
}

/** Says `first`, then waits until nobody looks any more. */
function endless(first: string) {
  const seen = { signal: undefined as AbortSignal | undefined }
  const tail: Control['tail'] = async (_name, _options, signal) => {
    seen.signal = signal
    return (async function* () {
      if (first !== '') yield Buffer.from(first)
      if (!signal.aborted) await once(signal, 'abort')
    })()
  }
  return { tail, seen }
}

test.each<[string[], unknown[]]>([
  [['runs'], ['runs', { limit: 20 }]],
  [
    ['runs', 'pay', '--limit', '3'],
    ['runs', { limit: 3, job: 'pay' }],
  ],
  [
    ['runs', '--queue', 'q'],
    ['runs', { limit: 20, task_key: 'q' }],
  ],
  [
    ['tail', 'web'],
    ['tail', 'web', { lines: 10, follow: false, stream: undefined }],
  ],
  [
    ['tail', '-f', '-n', '3', 'a b/c', 'stderr'],
    ['tail', 'a b/c', { lines: 3, follow: true, stream: 'stderr' }],
  ],
])('taskd %j asks the daemon for just that', async (argv, call) => {
  const { calls, code } = await against({}, ...argv)
  expect(code).toBe(0)
  expect(calls).toEqual([call])
})

test('runs shows them, and --json has them as they are', async () => {
  const plain = await against({}, 'runs')
  expect(plain.stdout).toContain('exit 1')
  expect(plain.stdout).toContain('\n  no points today\n')
  expect(JSON.parse((await against({}, 'runs', '--json')).stdout)).toEqual([runRecord()])
  expect((await against({ runs: async () => [] }, 'runs')).stdout).toBe('no runs yet\n')
})

test('tail writes the bytes as they are', async () => {
  const { stdout } = await against({}, 'tail', 'web')
  expect(stdout).toBe('web says\nhello\n')
})

test('tail --json is one value', async () => {
  const { stdout } = await against({}, 'tail', 'web', '--json')
  expect(JSON.parse(stdout)).toEqual({ name: 'web', output: 'web says\nhello\n' })
})

test('a tail of nothing says so, and not on standard output', async () => {
  const tail: Control['tail'] = async () => (async function* (): AsyncGenerator<Uint8Array> {})()
  const { code, stdout, stderr } = await against({ tail }, 'tail', 'web')
  expect([code, stdout, stderr]).toEqual([0, '', 'taskd: nothing to show of web now\n'])
})

test.each<[string[], number]>([
  [['tail', 'nobody'], 4],
  [['tail'], 2],
  [['tail', 'web', 'stdin'], 2],
  [['tail', '-n', '-3', 'web'], 2],
  [['tail', '-f', '--json', 'web'], 2],
  [['runs', '--limit', '0'], 2],
])('taskd %j is refused with its exit code and one line', async (argv, code) => {
  const result = await against({}, ...argv)
  expect([result.code, result.stdout]).toEqual([code, ''])
  expect(result.stderr).toMatch(/^taskd: [^\n]+\n$/)
})

test('no daemon is exit code 4 for a tail', async () => {
  const result = await cli(['tail', 'x'], { env: { TASKD_SOCKET: '/nowhere/taskd.sock' } })
  expect(result.code).toBe(4)
})

test('what is said comes at once, while the rest is yet to come', async () => {
  const { tail, seen } = endless('first\n')
  await using daemon = await serveFake({ tail })
  const leave = new AbortController()
  const options = { lines: 10, follow: true, stream: undefined }
  const output = await daemon.client.tail('web', options, leave.signal)
  const parts = output[Symbol.asyncIterator]()
  expect(Buffer.from((await parts.next()).value ?? '').toString()).toBe('first\n')
  leave.abort()
  expect((await parts.next()).done).toBe(true)
  await waitFor(() => seen.signal?.aborted, { what: 'the daemon knows that nobody looks' })
  expect(daemon.logged).toEqual([])
})

test('the answer begins before there is anything to say', async () => {
  const { tail, seen } = endless('')
  await using daemon = await serveFake({ tail })
  const leave = new AbortController()
  const options = { lines: 10, follow: true, stream: undefined }
  const output = await daemon.client.tail('web', options, leave.signal)
  const begun = output[Symbol.asyncIterator]().next()
  expect(seen.signal?.aborted).toBe(false)
  leave.abort()
  expect((await begun).done).toBe(true)
})

test('a client that is cut off ends it for the daemon too', async () => {
  const { tail, seen } = endless('x')
  await using daemon = await serveFake({ tail })
  const sent = request({ socketPath: daemon.socket, path: '/api/tail?name=web&follow=true' })
  sent.on('error', () => undefined)
  sent.end()
  const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream]
  response.on('error', () => undefined)
  await once(response, 'data')
  sent.destroy()
  await waitFor(() => seen.signal?.aborted, { what: 'the daemon knows' })
  expect(daemon.logged).toEqual([])
})

test('parts are asked for only as fast as the client takes them', async () => {
  let made = 0
  const tail: Control['tail'] = async (_name, _options, signal) =>
    (async function* () {
      for (; made < 5000 && !signal.aborted; made += 1) yield Buffer.alloc(64 * 1024)
    })()
  await using daemon = await serveFake({ tail })
  const sent = request({ socketPath: daemon.socket, path: '/api/tail?name=web' })
  sent.on('error', () => undefined)
  sent.end()
  const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream]
  response.on('error', () => undefined)
  response.pause()
  let before = -1
  await waitFor(
    async () => {
      const still = made === before
      before = made
      await new Promise(done => setTimeout(done, 100))
      return still && made > 0
    },
    { what: 'nothing more is made' },
  )
  expect(made).toBeLessThan(100)
  sent.destroy()
})

test('a daemon that goes away in the middle is told as such', async () => {
  const { tail } = endless('x')
  const daemon = await serveFake({ tail })
  const options = { lines: 10, follow: true, stream: undefined }
  const output = await daemon.client.tail('web', options, NEVER)
  const parts = output[Symbol.asyncIterator]()
  await parts.next()
  const next = parts.next()
  next.catch(() => undefined)
  await daemon[Symbol.asyncDispose]()
  await expect(next).rejects.toMatchObject({ code: 'E_GONE' })
})

test('what the source throws before it has said anything is an error like any other', async () => {
  const tail = () => Promise.reject(new TaskdError('E_NO_RUN', 'it runs elsewhere', 'ask there'))
  const { code, stderr } = await against({ tail }, 'tail', 'x')
  expect([code, stderr]).toEqual([1, 'taskd: it runs elsewhere. ask there\n'])
})
