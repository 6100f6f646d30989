import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BrokerPort, TaskResult } from '../../../src/api/broker-port.ts'
import { brokerRoutes } from '../../../src/api/routes/broker.ts'
import { TaskdError } from '../../../src/lib/errors.ts'
import { codeOf, type OpenDoor, openDoor, whole } from './open-door.ts'

const curl = promisify(execFile)

let asked: unknown[][]
let door: OpenDoor

/** Remembers what it was asked. */
function fakeBroker(): BrokerPort {
  const note = (...what: unknown[]) => void asked.push(what)
  const result: TaskResult = {
    uuid: '',
    is_result_exist: true,
    is_success: true,
    message: '57',
    state: 'done',
    attempts: 1,
    code: 'succ',
    data: [],
    task_key: 'async_tasks',
    next_run: '',
  }
  return {
    pushScript: async request => {
      note('script', request)
      return { uuid: 'u-1' }
    },
    pushRpc: async request => {
      note('rpc', request)
      return { uuid: 'u-2' }
    },
    result: async uuid => {
      note('result', uuid)
      const state = uuid === 'gone' ? 'unknown' : uuid === 'old' ? 'expired' : 'done'
      if (state === 'done') return { ...result, uuid }
      return { ...result, uuid, state, is_result_exist: false, is_success: false, message: 'no' }
    },
    cancel: async uuid => {
      note('cancel', uuid)
      if (uuid === 'gone') throw new TaskdError('E_NO_TASK', 'no task gone is waiting or running')
      return { unique_task_id: uuid, was: 'running' }
    },
    undone: async taskKey => {
      note('undone', taskKey)
      return 12
    },
    dayCount: async (which, date) => {
      note(which, date)
      return { date, count: 3 }
    },
  }
}

beforeEach(async () => {
  asked = []
  door = await openDoor({ modules: [brokerRoutes(fakeBroker())] })
})
afterEach(() => door[Symbol.asyncDispose]())

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const JSON_TYPE = { 'content-type': 'application/json' }
const post = (path: string, body = '', headers: Record<string, string> = {}) =>
  door.ask(path, { method: 'POST', body, headers })

describe('parameters of a script task', () => {
  const wanted = {
    task_key: '',
    fields: { bin_name: 'a.sh', args: '1 2', time_interval: '10 60 300', start_time: '5' },
  }

  test.each([
    [
      'the query, with %20',
      '?bin_name=a.sh&args=1%202&time_interval=10%2060%20300&start_time=5',
      '',
      {},
    ],
    ['the query, with +', '?bin_name=a.sh&args=1+2&time_interval=10+60+300&start_time=5', '', {}],
    ['a form', '', 'bin_name=a.sh&args=1+2&time_interval=10+60+300&start_time=5', FORM],
    [
      'a form with blanks as they are',
      '',
      'bin_name=a.sh&args=1 2&time_interval=10 60 300&start_time=5',
      FORM,
    ],
    [
      'query and form',
      '?bin_name=a.sh&args=x',
      'args=1 2&time_interval=10 60 300&start_time=5',
      FORM,
    ],
    ['JSON', '', JSON.stringify(wanted.fields), JSON_TYPE],
  ])('may come in %s', async (_how, query, body, headers) => {
    const answer = await post(`/api/task/script${query}`, body, headers)
    expect([answer.status, answer.json()]).toEqual([200, { uuid: 'u-1' }])
    expect(asked).toEqual([['script', wanted]])
  })

  test('may be numbers in JSON, and only bin_name must be there', async () => {
    const fields = {
      bin_name: 'a',
      args: 7,
      start_time: 5.5,
      time_interval: [1, 2],
      max_run_time: 3,
    }
    await post('/api/task/script', JSON.stringify({ ...fields, task_key: 'q' }), JSON_TYPE)
    await post('/api/task/script?bin_name=b')
    expect(asked).toEqual([
      ['script', { task_key: 'q', fields: { ...fields, args: '7' } }],
      ['script', { task_key: '', fields: { bin_name: 'b' } }],
    ])
  })

  test.each(['', '?args=1', '?bin_name=a&bin_name=b'])('%j is refused', async query => {
    const answer = await post(`/api/task/script${query}`)
    expect([answer.status, codeOf(answer)]).toEqual([400, 'E_BAD_REQUEST'])
    expect(asked).toEqual([])
  })
})

test('parameters of an rpc task: args as text or as JSON', async () => {
  const url = encodeURIComponent("'http://h/x?a=1&b=2'")
  await post(`/api/task/rpc?method=POST&url=${url}&args=${encodeURIComponent(`'{"a":1}'`)}`)
  const fields = { method: 'PUT', url: 'http://h/', args: { a: [1] }, max_run_time: 5 }
  const answer = await post('/api/task/rpc', JSON.stringify(fields), JSON_TYPE)
  expect(answer.json()).toEqual({ uuid: 'u-2' })
  expect(asked).toEqual([
    [
      'rpc',
      { task_key: '', fields: { method: 'POST', url: "'http://h/x?a=1&b=2'", args: `'{"a":1}'` } },
    ],
    ['rpc', { task_key: '', fields }],
  ])
})

describe('a result', () => {
  test('is asked for by path and by query', async () => {
    for (const path of ['/api/task/result/u-9', '/api/task/result?uuid=u-9']) {
      const answer = await door.ask(path)
      expect([answer.status, answer.json()]).toMatchObject([
        200,
        { uuid: 'u-9', is_result_exist: true, is_success: true, message: '57', state: 'done' },
      ])
    }
    expect(asked).toEqual([
      ['result', 'u-9'],
      ['result', 'u-9'],
    ])
  })

  test.each([
    ['gone', 'unknown'],
    ['old', 'expired'],
  ])('of %s is 404, in the same shape and as an error', async (uuid, state) => {
    const answer = await door.ask(`/api/task/result/${uuid}`)
    expect([answer.status, answer.json()]).toMatchObject([
      404,
      { uuid, is_result_exist: false, state, error: { code: 'E_NO_TASK', message: 'no' } },
    ])
  })

  test('of nothing is refused', async () => {
    expect((await door.ask('/api/task/result')).status).toBe(400)
  })
})

test('a task is cancelled by its uuid; one that is over or unknown cannot be', async () => {
  const answer = await door.ask('/api/task/u-1', { method: 'DELETE' })
  expect([answer.status, answer.json()]).toEqual([200, { uuid: 'u-1', was: 'running' }])
  const gone = await door.ask('/api/task/gone', { method: 'DELETE' })
  expect([gone.status, codeOf(gone)]).toEqual([404, 'E_NO_TASK'])
})

test('counts', async () => {
  expect((await door.ask('/api/task/count/undo')).json()).toEqual({ count: 12 })
  await door.ask('/api/task/count/undo?task_key=q')
  const day = await door.ask('/api/task/result/success/2026-11-21')
  expect(day.json()).toEqual({ date: '2026-11-21', count: 3 })
  await door.ask('/api/task/result/failure/20261121')
  expect(asked).toEqual([
    ['undone', ''],
    ['undone', 'q'],
    ['success', '2026-11-21'],
    ['failure', '20261121'],
  ])
})

describe('who may', () => {
  test.each([
    ['read', 'GET', '/api/task/result/u', 200],
    ['read', 'GET', '/api/task/count/undo', 200],
    ['read', 'POST', '/api/task/script?bin_name=a', 403],
    ['read', 'POST', '/api/task/rpc?method=GET&url=http://h', 403],
    ['read', 'DELETE', '/api/task/u', 403],
    ['push', 'POST', '/api/task/script?bin_name=a', 200],
    ['push', 'GET', '/api/task/result/u', 200],
    ['push', 'DELETE', '/api/task/u', 200],
    ['pull', 'GET', '/api/task/result/u', 403],
    ['pull', 'POST', '/api/task/script?bin_name=a', 403],
  ])('the secret for %s: %s %s is %i', async (scope, method, path, status) => {
    const secrets = { read: 'r-secret', push: 'p-secret', pull: 'q-secret' }
    await using closed = await openDoor({ secrets, modules: [brokerRoutes(fakeBroker())] })
    const secret = secrets[scope as keyof typeof secrets]
    expect((await closed.ask(path, { method, headers: { secret } })).status).toBe(status)
    expect((await closed.ask(path, { method })).status).toBe(401)
  })
})

describe('curl, as people write it', () => {
  const run = (...args: string[]) => curl('curl', ['-sS', ...args])
  const origin = () => `http://127.0.0.1:${door.port}`
  const fields = { bin_name: 'a.sh', args: '1 2' }

  test.each([
    ['-d with a blank', () => ['-d', 'bin_name=a.sh&args=1 2', `${origin()}/api/task/script`]],
    [
      'a + in the query',
      () => ['-X', 'POST', `${origin()}/api/task/script?bin_name=a.sh&args=1+2`],
    ],
    [
      '--data-urlencode',
      () => [
        '-G',
        '-X',
        'POST',
        '--data-urlencode',
        'args=1 2',
        `${origin()}/api/task/script?bin_name=a.sh`,
      ],
    ],
    ['-F', () => ['-F', 'bin_name=a.sh', '-F', 'args=1 2', `${origin()}/api/task/script`]],
    [
      '-d with JSON and no type',
      () => ['-d', JSON.stringify(fields), `${origin()}/api/task/script`],
    ],
  ])('%s', async (_how, args) => {
    expect(JSON.parse((await run(...args())).stdout)).toEqual({ uuid: 'u-1' })
    expect(asked).toEqual([['script', { task_key: '', fields }]])
  })

  test('a blank in the address is no HTTP: old clients that send it are told so', async () => {
    const socket = connect(door.port, '127.0.0.1')
    socket.write('POST /api/task/script?bin_name=a.sh&args=1 2 HTTP/1.1\r\nhost: localhost\r\n\r\n')
    const text = await whole(socket)
    expect(text).toMatch(/^HTTP\/1\.1 400 /)
    expect(text).toContain('%20')
    expect(asked).toEqual([])
  })
})
