import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TaskResult } from '../../src/api/broker-port.ts'
import { gone, linesOf, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'
import { type Handler, startWeb, type Web } from '../support/web.ts'

let daemon: TestDaemon
let site: Web
let answer: Handler = (_request, response) => response.end('fine')
let api: string

const settings = (more: Record<string, string> = {}) => ({
  taskd: { http: '127.0.0.1:0', bin_path: 'bin', rpc_allow: '127.0.0.1', ...more },
})

beforeAll(async () => {
  site = await startWeb((...all) => answer(...all))
  daemon = await startDaemon(settings())
  mkdirSync(join(daemon.dir, 'bin'))
  const listens = await waitFor(() => /127\.0\.0\.1:(\d+)/.exec(httpLine(daemon.log())), {
    what: 'it says where it listens',
  })
  api = `http://127.0.0.1:${listens[1]}/api/task`
})
afterAll(async () => {
  await daemon.remove()
  await site[Symbol.asyncDispose]()
})

const httpLine = (log: string) => log.split('\n').find(line => line.includes('http listens')) ?? ''

async function ask(method: string, path: string, form: Record<string, string | number> = {}) {
  const pairs = Object.entries(form).map(([name, value]): [string, string] => [name, `${value}`])
  const body = pairs.length === 0 ? {} : { body: new URLSearchParams(pairs) }
  const response = await fetch(`${api}${path}`, { method, ...body })
  return { status: response.status, json: (await response.json()) as Record<string, unknown> }
}

async function push(path: string, form: Record<string, string | number>): Promise<string> {
  const { status, json } = await ask('POST', path, form)
  if (status !== 200) throw new Error(JSON.stringify(json))
  return String(json['uuid'])
}

const script = (bin_name: string, more: Record<string, string | number> = {}) =>
  push('/script', { bin_name, ...more })
const rpc = (more: Record<string, string | number> = {}) =>
  push('/rpc', { method: 'POST', url: `${site.origin}/`, ...more })

async function resultOf(uuid: string): Promise<TaskResult> {
  return (await ask('GET', `/result/${uuid}`)).json as unknown as TaskResult
}

const ended = (uuid: string) =>
  waitFor(
    async () => {
      const result = await resultOf(uuid)
      return result.is_result_exist && result
    },
    { what: `${uuid} has a result`, timeoutMs: 20_000 },
  )

const until = (uuid: string, state: string) =>
  waitFor(async () => (await resultOf(uuid)).state === state, { what: `${uuid} is ${state}` })

async function countOf(which: 'success' | 'failure'): Promise<number> {
  const { timezone = 'UTC' } = Intl.DateTimeFormat().resolvedOptions() as { timezone?: string }
  const options = { timeZone: timezone, dateStyle: 'short' } as const
  const today = new Intl.DateTimeFormat('sv-SE', options).format(Date.now())
  return Number((await ask('GET', `/result/${which}/${today}`)).json['count'])
}

describe('a script task', () => {
  it('runs a file of bin_path with its arguments, and its output is its result', async () => {
    daemon.script('bin/sum.sh', '#!/bin/sh\necho $(($1 + $2))\n')
    const before = await countOf('success')
    const uuid = await script('sum.sh', { args: '12 45' })
    expect(await ended(uuid)).toMatchObject({
      is_success: true,
      message: '57',
      state: 'done',
      attempts: 1,
    })
    expect(await countOf('success')).toBe(before + 1)
  })

  it('is tried again after each of its waits', async () => {
    daemon.script('bin/third.sh', '#!/bin/sh\n[ "$TASKD_ATTEMPT" = 3 ] || exit 1\necho at last\n')
    const before = await countOf('failure')
    const uuid = await script('third.sh', { time_interval: '0 0.1 300' })
    expect(await ended(uuid)).toMatchObject({ is_success: true, message: 'at last', attempts: 3 })
    expect(await countOf('failure')).toBe(before)
  })

  it('is ended with its whole group when it takes longer than max_run_time', async () => {
    const pids = join(daemon.dir, 'pids')
    daemon.script('bin/long.sh', `#!/bin/sh\nsleep 100 & echo $! > ${pids}; wait\n`)
    const before = await countOf('failure')
    const uuid = await script('long.sh', { max_run_time: 1 })
    expect(await ended(uuid)).toMatchObject({
      is_success: false,
      state: 'failed',
      message: 'ran longer than 1 s',
    })
    await gone(Number(linesOf(pids)[0]))
    expect(await countOf('failure')).toBe(before + 1)
  })

  it('is never anything outside bin_path, however it is called', async () => {
    const mark = join(daemon.dir, 'hacked')
    const evil = daemon.script('evil.sh', `#!/bin/sh\ntouch ${mark}\n`)
    symlinkSync(evil, join(daemon.dir, 'bin/link.sh'))
    symlinkSync(daemon.dir, join(daemon.dir, 'bin/folder'))
    const names = [
      '../evil.sh',
      evil,
      'link.sh',
      'folder/evil.sh',
      './../evil.sh',
      'sum.sh/../../evil.sh',
    ]
    const odd = [
      '',
      '.',
      '..',
      'sum.sh\0',
      'sum.sh\n',
      '%2e%2e/evil.sh',
      'none.sh',
      '; touch hacked',
    ]
    for (const bin_name of [...names, ...odd]) {
      const { status, json } = await ask('POST', '/script', { bin_name })
      expect([bin_name, status]).toEqual([bin_name, 400])
      expect(JSON.stringify(json)).not.toContain(daemon.dir)
    }
    expect(existsSync(mark)).toBe(false)
    expect((await ask('POST', '/script', { bin_name: 'sum.sh' })).status).toBe(200)
  })
})

describe('an rpc task', () => {
  it('asks, and is judged by what is answered', async () => {
    answer = (request, response) =>
      response.end(`{"code":"succ","msg":"got ${request.body.length}"}`)
    const uuid = await rpc({ args: `'{"a":1}'` })
    expect(await ended(uuid)).toMatchObject({ is_success: true, message: 'got 7', attempts: 1 })
    expect(site.seen.at(-1)?.headers).toMatchObject({ 'taskd-task-id': uuid, 'taskd-attempt': '1' })
  })

  it('has its rows while it runs and when it has failed', async () => {
    let finish = () => {}
    answer = (_request, response) => {
      finish = () => {
        response.statusCode = 503
        response.end('busy')
      }
    }
    const uuid = await rpc({ args: '{"a":1}' })
    const key = await waitFor(async () => (await daemon.redis.keys(`Task:List:*:${uuid}`))[0], {
      what: 'it has a row',
    })
    const row = { script: `${site.origin}/`, controller: 'api/task/rpc', function: 'POST' }
    expect(await daemon.redis.hgetall(key)).toMatchObject({ ...row, param: '{"a":1}', pid: '' })
    await waitFor(() => site.connections() > 0, { what: 'it has asked' })
    await until(uuid, 'running')
    finish()
    const message = 'HTTP 503 Service Unavailable: busy'
    expect(await ended(uuid)).toMatchObject({ is_success: false, state: 'failed', message })
    const fails = await waitFor(
      async () =>
        (await daemon.control.fails({ limit: 50 })).find(one => one.unique_task_id === uuid),
      { what: 'it is in fail_log' },
    )
    expect(fails).toMatchObject({ ...row, kind: 'http', msg: message, exit_code: null })
  })

  it('is given back when its worker dies, and asks again', async () => {
    let asked = 0
    answer = (_request, response) => {
      asked += 1
      if (asked > 1) response.end('the second time')
    }
    const uuid = await rpc()
    await waitFor(() => asked === 1, { what: 'it has asked' })
    const pid = await daemon.worker('async_tasks-1')
    process.kill(pid, 'SIGKILL')
    expect(await ended(uuid)).toMatchObject({
      is_success: true,
      message: 'the second time',
      attempts: 2,
    })
    expect((await daemon.status()).pid).toBe(daemon.pid)
  })

  it('cannot be made to ask for metadata, not by its address and not by a redirect', async () => {
    for (const host of ['169.254.169.254', '[::ffff:169.254.169.254]', '2852039166', '[::1]']) {
      const { status } = await ask('POST', '/rpc', { method: 'GET', url: `http://${host}/x` })
      expect([host, status]).toEqual([host, 400])
    }
    answer = (_request, response) =>
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end()
    expect(await ended(await rpc({ time_interval: '0 0' }))).toMatchObject({
      state: 'failed',
      attempts: 1,
      message: expect.stringContaining('metadata address'),
    })
  })

  it('is tried again by hand as what it was, also when only fail_log remembers it', async () => {
    answer = (_request, response) => response.writeHead(500).end()
    const uuid = await rpc({ args: '{"b":2}' })
    await ended(uuid)
    await waitFor(
      async () =>
        (await daemon.control.fails({ limit: 50 })).some(one => one.unique_task_id === uuid),
      { what: 'it is in fail_log' },
    )
    await daemon.redis.zrem('{taskd}:async_tasks:failed', uuid)
    await daemon.redis.del(`{taskd}:async_tasks:${uuid}`)
    expect((await resultOf(uuid)).state).toBe('unknown')
    answer = (request, response) => response.end(`${request.method} ${request.body}`)
    expect((await daemon.cli('retry', uuid)).code).toBe(0)
    expect(await ended(uuid)).toMatchObject({
      is_success: true,
      message: 'POST {"b":2}',
      attempts: 2,
    })
  })
})

describe('cancelling', () => {
  it('takes a task that waits out of its queue, and its result says so', async () => {
    const later = Math.floor(Date.now() / 1000) + 3600
    const uuid = await script('sum.sh', { start_time: later })
    expect((await resultOf(uuid)).state).toBe('delayed')
    const { json } = await ask('GET', '/count/undo')
    expect(json).toEqual({ count: 1 })
    expect(await ask('DELETE', `/${uuid}`)).toMatchObject({ json: { uuid, was: 'waiting' } })
    expect(await resultOf(uuid)).toMatchObject({
      is_result_exist: true,
      is_success: false,
      state: 'cancelled',
      message: 'cancelled by hand',
    })
    expect((await ask('GET', '/count/undo')).json).toEqual({ count: 0 })
    expect((await ask('DELETE', `/${uuid}`)).status).toBe(404)
  })

  it('ends a request that runs', async () => {
    answer = () => undefined
    const uuid = await rpc()
    await until(uuid, 'running')
    expect(await ask('DELETE', `/${uuid}`)).toMatchObject({ json: { was: 'running' } })
    expect(await ended(uuid)).toMatchObject({ state: 'cancelled', is_success: false })
  })
})

it('a reload changes what may be run and called', async () => {
  daemon.configure(settings({ bin_path: 'other', rpc_allow: 'off' }))
  expect((await daemon.cli('reload')).code).toBe(0)
  const url = `${site.origin}/`
  expect((await ask('POST', '/script', { bin_name: 'sum.sh' })).status).toBe(400)
  expect((await ask('POST', '/rpc', { method: 'GET', url })).status).toBe(400)
})
