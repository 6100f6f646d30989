import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OrdersTable, ordersTable } from '../support/channels.ts'
import { newDaemon, type TestDaemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'
import { startWeb, type Web } from '../support/web.ts'

const SECRET = 'it\'s "quoted" \\and $(long)'
const LANGUAGES = { php: 'client.php', python3: 'client.py', sh: 'client.sh' }

let daemon: TestDaemon
let site: Web
let orders: OrdersTable
let server: string

beforeAll(async () => {
  site = await startWeb(({ url, body }, response) => {
    response.statusCode = url === '/broken' ? 500 : 200
    response.end(body === '' ? url : body)
  })
  daemon = newDaemon()
  const database = `sqlite:${join(daemon.dir, 'orders.db')}`
  daemon.configure({
    taskd: {
      http: '127.0.0.1:0',
      secret: SECRET,
      bin_path: 'bin',
      rpc_allow: '127.0.0.1',
    },
    ini: `
      [queue:php]
      mode = pull
      [queue:python3]
      mode = pull
      [queue:sh]
      mode = pull
      [channel:orders]
      database = ${database}
      table    = orders
      columns  = id!:int, note
    `,
  })
  await daemon.start()
  orders = await ordersTable(database)
  const bin = join(daemon.dir, 'bin')
  mkdirSync(bin)
  daemon.script('bin/words.sh', '#!/bin/sh\nprintf "%s, " "$@"\n')
  daemon.script('bin/broken.sh', '#!/bin/sh\necho it broke >&2\nexit 3\n')
  daemon.script('bin/slow.sh', '#!/bin/sh\nsleep 100\n')
  const line = /http listens.*127\.0\.0\.1:(\d+)/
  const listens = await waitFor(() => line.exec(daemon.log()), { what: 'it says where it listens' })
  server = `http://127.0.0.1:${listens[1]}`
})
afterAll(async () => {
  await orders.close()
  await daemon.remove()
  await site[Symbol.asyncDispose]()
})

describe.each(Object.entries(LANGUAGES))('the client in %s', (language, file) => {
  const client = (words: readonly string[], given: { input?: string; env?: object } = {}) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((done, fail) => {
      const env = { ...process.env, TASKD_SECRET: SECRET, no_proxy: '*', ...given.env }
      const args = [resolve('examples/clients', file), ...words]
      const child = execFile(language, args, { env, timeout: 30_000 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code
        if (typeof code === 'number') done({ code, stdout, stderr })
        else fail(error ?? new Error('no exit code'))
      })
      // Most of them end without having read it.
      child.stdin?.on('error', () => undefined)
      child.stdin?.end(given.input ?? '')
    })
  /** The answer that it prints. */
  async function answer(words: readonly string[], input?: string): Promise<unknown> {
    const { code, stdout, stderr } = await client([server, ...words], input ? { input } : {})
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    return JSON.parse(stdout)
  }

  it('runs a file of bin_path with its arguments and waits for the result', async () => {
    const result = await answer(['script', 'words.sh', 'a"b', '$HOME', '值', '&c=+1%20'])
    expect(result).toMatchObject({ is_success: true, message: 'a"b, $HOME, 值, &c=+1%20,' })
  })

  it('says by its exit code that a task has failed, and prints why', async () => {
    const { code, stdout } = await client([server, 'script', 'broken.sh'])
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ is_success: false, state: 'failed' })
  })

  it('stops waiting when a result takes too long, and says so', async () => {
    const env = { RESULT_TIMEOUT: '1' }
    const { code, stdout, stderr } = await client([server, 'script', 'slow.sh'], { env })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^client\.\w+: .* it goes on all the same\n$/)
    const uuid = /[0-9a-f-]{36}/.exec(stderr)?.[0] ?? ''
    const headers = { secret: SECRET }
    const gone = await fetch(`${server}/api/task/${uuid}`, { method: 'DELETE', headers })
    expect(gone.status).toBe(200)
  })

  it('makes a request with a JSON body, and one without', async () => {
    const json = '{"user":{"id":7,"name":"a&b=值"},"tags":[]}'
    const posted = (await answer(['rpc', 'POST', `${site.origin}/x?a=1&b=2`, json])) as {
      message: string
    }
    expect(JSON.parse(posted.message)).toEqual(JSON.parse(json))
    expect(site.seen.at(-1)).toMatchObject({ method: 'POST', url: '/x?a=1&b=2' })
    const got = await answer(['rpc', 'GET', `${site.origin}/plain`])
    expect(got).toMatchObject({ is_success: true, message: '/plain' })
    expect((await client([server, 'rpc', 'GET', `${site.origin}/broken`])).code).toBe(1)
  })

  it('hands tasks to a pull queue, fetches them, reports them', async () => {
    const tasks = '[{"task_id":"t1","url":"/值","none":{}},{"task_id":"t2"}]'
    const pushed = await answer(['push', language, tasks])
    expect(pushed).toMatchObject({ accepted: 2 })
    expect(await answer(['push', language, '{"task_id":"t1"}'])).toMatchObject({ accepted: 0 })
    expect(await answer(['claim', language, '1'])).toMatchObject({
      tasks: [{ task_id: 't1', content: { task_id: 't1', url: '/值', none: {} } }],
    })
    expect(await answer(['claim', language])).toMatchObject({ tasks: [{ task_id: 't2' }] })
    const report = '{"finish":["t1","t3"],"failed":[{"task_id":"t2","msg":"no route"}]}'
    expect(await answer(['report', language], report)).toMatchObject({
      counted: 2,
      unknown: ['t3'],
      finish: [{ answer: 'finished' }, { answer: 'unknown' }],
      failed: [{ answer: 'requeued' }],
    })
  })

  it('puts rows into the table of a channel, a batch that is sent again only once', async () => {
    const first = 1000 * Object.keys(LANGUAGES).indexOf(language)
    const rows = [0, 1].map(n => ({ id: first + n, note: `it's "${language}" 值` }))
    const words = ['rows', 'orders', `${language}-1&x`]
    expect(await answer([...words, JSON.stringify(rows)])).toEqual({ inserted: 2 })
    expect(await answer(words, JSON.stringify(rows))).toEqual({ inserted: 2, duplicate: true })
    const found = await orders.db.selectFrom('orders').select(['id', 'note']).execute()
    expect(found.filter(row => Math.floor(Number(row['id']) / 1000) * 1000 === first)).toEqual(rows)
  })

  it('sends more from standard input than an argument can hold', async () => {
    const tasks = [{ task_id: 'large', text: 'x'.repeat(300_000) }]
    const pushed = await answer(['push', language], JSON.stringify(tasks))
    expect(pushed).toMatchObject({ accepted: 1 })
  })

  it.each([
    ['a wrong secret', ['claim', 'php'], { TASKD_SECRET: 'wrong' }, /: 401 .*E_SECRET/],
    ['no secret', ['claim', 'php'], { TASKD_SECRET: '' }, /: 401 .*E_SECRET/],
    ['no such file', ['script', '../x'], {}, /: 400 .*E_BAD_/],
    ['no such queue', ['push', 'nobody', '{"task_id":"1"}'], {}, /: 404 .*E_NO_/],
    ['bad rows', ['rows', 'orders', 'b', '[{"note":1}]'], {}, /: 400 .*rows\[0\]\.id/],
  ])('is refused and says why in one line, exit code 1: %s', async (_, words, env, why) => {
    const { code, stdout, stderr } = await client([server, ...words], { env })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(why)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(stderr).not.toContain(SECRET)
  })

  it('nobody listens: one line, exit code 1', async () => {
    const { code, stderr } = await client(['http://127.0.0.1:1', 'claim', 'php'])
    expect(code).toBe(1)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  it.each([
    ['too few words', []],
    ['no such command', ['http://127.0.0.1:1', 'dance', 'x']],
    ['no URL', ['http://127.0.0.1:1', 'rpc', 'GET']],
    ['no batch id', ['http://127.0.0.1:1', 'rows', 'orders']],
  ])('%s: how it is called, exit code 2', async (_, words) => {
    const { code, stderr } = await client(words)
    expect(code).toBe(2)
    expect(stderr).toContain('SERVER script BIN_NAME [ARG')
    expect(stderr).toContain('TASKD_SECRET')
  })
})
