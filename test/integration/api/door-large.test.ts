import { execFile } from 'node:child_process'
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { PullPort } from '../../../src/api/pull-port.ts'
import { pullRoutes } from '../../../src/api/routes/pull.ts'
import { legacyPullRoutes } from '../../../src/api/routes/pull-legacy.ts'
import type { DataPort } from '../../../src/features/channel/data-port.ts'
import type { EncryptPort } from '../../../src/features/channel/encrypt-port.ts'
import { encryptRoutes } from '../../../src/features/channel/encrypt-routes.ts'
import { channelLegacyRoutes } from '../../../src/features/channel/legacy-routes.ts'
import { relayLegacyRoutes } from '../../../src/features/relay/legacy-routes.ts'
import type { RelayPort } from '../../../src/features/relay/port.ts'
import { relayRoutes } from '../../../src/features/relay/routes.ts'
import type { ChannelSpec, RelaySpec } from '../../../src/model/channel.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { codeOf, type OpenDoor, openDoor } from './open-door.ts'

/** Encrypts nothing, and takes everything. */
const encrypting: EncryptPort = {
  encrypt: async ({ rows = [] }) => ({ kind: 'rows', rows: rows as never }),
}
const pulling = {
  names: ['far'],
  push: async (_key: string, tasks: readonly { id: string }[]) => ({
    answers: tasks.map(({ id }) => ({ id, answer: 'accepted', promoted: false })),
    accepted: tasks.length,
    room: 1,
  }),
  report: async (_key: string, { finish }: { finish: readonly { id: string }[] }) => ({
    finish: finish.map(({ id }) => ({ id, answer: 'finished' })),
    failed: [],
    returned: [],
  }),
} as unknown as PullPort
const relays: RelayPort = {
  take: async () => [],
  push: async () => ({ pushed: 0, done: 0, unknown: [] }),
}
const oldPaths = {
  channels: [{ name: '1', columns: [], maxRows: 100_000, legacyPaths: ['/save'] }],
  relays: [{ name: 'r', max: 10, legacyPaths: ['/relay'] }],
} as unknown as { channels: ChannelSpec[]; relays: RelaySpec[] }
const data: DataPort = { insert: async (_name, { rows }) => ({ inserted: rows.length }) }

async function withRoutes() {
  return openDoor({
    modules: [
      encryptRoutes(encrypting),
      pullRoutes(pulling),
      relayRoutes(relays),
      legacyPullRoutes(pulling),
      channelLegacyRoutes(oldPaths.channels, { ...data, ...encrypting }),
      relayLegacyRoutes(oldPaths.relays, relays),
    ],
  })
}

const json = { 'content-type': 'application/json' }
const form = { 'content-type': 'application/x-www-form-urlencoded' }

function post(
  door: OpenDoor,
  path: string,
  body: string | Buffer,
  headers: Record<string, string> = json,
) {
  return door.ask(path, { method: 'POST', headers, body })
}

/** The CPU that this thread has used, s. */
function threadCpu(file: number): number {
  const text = Buffer.alloc(100)
  readSync(file, text, 0, text.length, 0)
  return Number(text.toString().split(' ', 1)[0]) / 1e9
}

/** The CPU that the longest turn of the event loop has taken, s: time would be that of a busy machine. */
function turnsOfLoop() {
  const file = openSync('/proc/thread-self/schedstat', 'r')
  let before = threadCpu(file)
  let longest = 0
  const timer = setInterval(() => {
    const now = threadCpu(file)
    longest = Math.max(longest, now - before)
    before = now
  }, 1)
  return {
    longest: () => longest,
    [Symbol.dispose]: () => {
      clearInterval(timer)
      closeSync(file)
    },
  }
}

/** The CPU that an answer costs, s: on a machine that is busy, time says little. */
async function costOf(act: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await act()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

const many = (bytes: number, unit: string) => unit.repeat(Math.floor(bytes / unit.length))
const numbered = (count: number, unit: (at: number) => string) =>
  Array.from({ length: Math.floor(count) }, (_, at) => unit(at)).join()
const MIB = 1 << 20

test.each([
  ['/api/encrypt', 63, (n: number) => `{"x":[${many(n, '{},')}{}]}`],
  ['/api/encrypt', 63, (n: number) => `{"rows":[[${many(n, '[],')}[]]]}`],
  ['/api/encrypt', 63, (n: number) => `{"fields":{"a":[${many(n, '1,')}1]}}`],
  ['/api/tasks/push', 7, (n: number) => `{"x":[${many(n, '{},')}{}]}`],
  ['/api/tasks/push', 7, (n: number) => `{${many(n, '"a":1,')}"b":1}`],
  ['/api/queue/far/tasks', 15, (n: number) => `[${many(n, '{},')}{}]`],
  ['/api/tasks/push', 7, (n: number) => `{"task":{${numbered(n / 12, at => `"${at}":1`)}}}`],
  ['/back_taskids', 15, (n: number) => `{"finish":[${many(n, '"a",')}"a"]}`],
  ['/save', 63, (n: number) => `[${many(n, '{},')}{}]`],
  ['/save', 3, (n: number) => `[${many(n, '{ "a" : [ 1 , 2 ] },')}{}]`],
  ['/relay', 31, (n: number) => `[${many(n, '{},')}{}]`],
  ['/relay', 1, (n: number) => `[${many(n, '{},')}{}]`],
  ['/api/relay/x', 31, (n: number) => `{"results":[${many(n, '{},')}{}]}`],
] as const)('%s: %d MiB of small values are refused for little', async (path, mib, text) => {
  await using door = await withRoutes()
  const body = Buffer.from(text(mib * MIB - 100))
  let answer: Awaited<ReturnType<typeof post>> | undefined
  const before = process.memoryUsage().rss
  const cost = await costOf(async () => {
    answer = await post(door, path, body)
  })
  expect(answer?.status).toBe(413)
  expect(cost).toBeLessThan(3)
  expect(process.memoryUsage().rss - before).toBeLessThan(400 * MIB)
})

test('forms of many pairs or parts are refused', async () => {
  await using door = await withRoutes()
  for (const [body, headers] of [
    [many(7 * MIB, 'a=1&'), form],
    [many(7 * MIB, 'a[b][c]=1&'), form],
    [numbered(6000, at => `a${at}=1`).replaceAll(',', '&'), form],
    [
      many(7 * MIB, '--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n'),
      { 'content-type': 'multipart/form-data; boundary=x' },
    ],
  ] as const) {
    const answer = await post(door, '/api/tasks/push', body, headers)
    expect([answer.status, codeOf(answer)]).toEqual([413, 'E_TOO_LARGE'])
  }
})

test('large bodies are taken, and hold the loop up for no more than a moment', async () => {
  await using door = await withRoutes()
  const row = JSON.stringify({
    id: 1,
    name: 'Ä'.repeat(200),
    phone: '13800000000',
    note: 'x'.repeat(150),
  })
  const body = Buffer.from(`{"rows":[${Array.from({ length: 90_000 }, () => row).join()}]}`)
  expect(body.length).toBeGreaterThan(45 * MIB)
  // Its first use costs what a later one does not.
  await post(door, '/api/encrypt', `{"rows":[${row}]}`)
  using turns = turnsOfLoop()
  expect(await sendApart(door.port, '/api/encrypt', body, 2)).toEqual([200, 200])
  // Twice what a quiet machine needs, and more.
  expect(turns.longest()).toBeLessThan(0.2)
}, 120_000)

test.each([
  ['ids in a body of a GET', 'GET', json, '/back_taskids', numbered(99_000, at => `"${at}"`)],
  ['ids', 'POST', json, '/back_taskids', numbered(99_000, at => `{"task_id":"${at}"}`)],
])('%s hold the loop up for no more than a moment', async (_what, method, headers, path, ids) => {
  await using door = await withRoutes()
  const body = `{"finish":[${ids}]}`
  await door.ask(path, { method, headers, body: '{"finish":["a"]}' })
  using turns = turnsOfLoop()
  expect((await door.ask(path, { method, headers, body })).json()).toMatchObject({ finish: 99_000 })
  expect(turns.longest()).toBeLessThan(0.2)
})

test('a form of one long text holds the loop up for no more than a moment', async () => {
  await using door = await withRoutes()
  const body = `a=${many(7 * MIB, '%C3%A4')}`
  await post(door, '/api/tasks/push', 'a=%C3', form)
  using turns = turnsOfLoop()
  expect((await post(door, '/api/tasks/push', body, form)).status).toBe(400)
  expect(turns.longest()).toBeLessThan(0.25)
  const longer = `a=${many(9 * MIB, '%C3%A4')}`
  expect((await post(door, '/api/encrypt', longer, form)).status).toBe(413)
})

test('callers who announce large bodies and dawdle hold up nobody', async () => {
  await using door = await withRoutes()
  const slow = await Promise.all(Array.from({ length: 4 }, () => door.raw()))
  for (const [n, socket] of slow.entries()) {
    const size = n < 2 ? `content-length: ${63 * MIB}` : 'transfer-encoding: chunked'
    socket.write(`POST /api/encrypt HTTP/1.1\r\nhost: localhost\r\n${size}\r\n`)
    socket.write('content-type: application/json\r\n\r\n')
    socket.write(n < 2 ? '{"rows":[' : '9\r\n{"rows":[\r\n')
  }
  const body = `{"rows":[{"a":"${'x'.repeat(3 * MIB)}"}]}`
  expect((await post(door, '/api/encrypt', body)).status).toBe(200)
  for (const socket of slow) socket.destroy()
})

/** Sends a body so many times at once, from another process: sending takes turns of a loop too. */
async function sendApart(
  port: number,
  path: string,
  body: Buffer,
  times: number,
): Promise<number[]> {
  await using dir = tempDir()
  const file = join(dir.path, 'body')
  writeFileSync(file, body)
  const program = `
    const { request } = require('node:http'), { createReadStream } = require('node:fs')
    const post = () => new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': ${body.length} }
      const sent = request({ host: '127.0.0.1', port: ${port}, path: '${path}', method: 'POST', headers, agent: false })
      sent.once('error', reject)
      sent.once('response', one => one.on('end', () => resolve(one.statusCode)).resume())
      createReadStream('${file}').pipe(sent)
    })
    Promise.all(Array.from({ length: ${times} }, post)).then(all => console.log(JSON.stringify(all)))`
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program])
  return JSON.parse(stdout) as number[]
}
