import { describe, expect, test } from 'vitest'
import { wordsOf } from '../../../src/model/bin-name.ts'
import {
  callOfRow,
  parseBinTask,
  parseRpcTask,
  rpcRequest,
} from '../../../src/model/broker-task.ts'
import { newUuid, timeOfUuid } from '../../../src/model/uuid.ts'
import { fromStored, toStored } from '../../../src/queue/stored-task.ts'

const bin = (fields: Record<string, unknown>) => parseBinTask(fields, 'async_tasks', 'u-1')
const rpc = (fields: Record<string, unknown>) => parseRpcTask(fields, 'async_tasks', 'u-1')

describe('a script task', () => {
  test('has its file, its arguments and its times', () => {
    const fields = {
      bin_name: 'a.sh',
      args: '1 2',
      start_time: '1795255200',
      time_interval: '10 60 300',
      max_run_time: '90',
    }
    expect(bin(fields)).toEqual({
      ok: true,
      value: {
        call: 'bin',
        id: 'u-1',
        taskKey: 'async_tasks',
        script: 'a.sh',
        controller: 'api/task/script',
        function: '',
        param: '1 2',
        job: '',
        priority: 5,
        retries: 3,
        retryIntervalsMs: [10_000, 60_000, 300_000],
        maxRunTimeMs: 90_000,
        startAt: 1_795_255_200_000,
      },
    })
  })

  test('with only its file runs at once, without arguments and retries', () => {
    const task = bin({ bin_name: 'a.sh', args: '', start_time: '', time_interval: '' })
    expect(task).toMatchObject({ ok: true, value: { param: '', retries: 0 } })
    expect(task.ok && task.value).not.toHaveProperty('startAt')
  })

  test.each([
    [{ max_run_time: 0, time_interval: '' }],
    [{ max_run_time: '0', time_interval: ' ' }],
    [{ max_run_time: '', time_interval: [] }],
  ])('what was the default in the broker of before is so here: %j', fields => {
    const task = bin({ bin_name: 'a.sh', ...fields })
    expect(task).toMatchObject({ ok: true, value: { retries: 0, retryIntervalsMs: [] } })
    expect(task.ok && task.value).not.toHaveProperty('maxRunTimeMs')
  })

  test.each([
    [{}, '"bin_name" is missing: the file in bin_path to run'],
    [{ bin_name: '/bin/sh' }, '"bin_name" is an absolute path'],
    [{ bin_name: '../a' }, '"bin_name" has a part that names no file, such as ".."'],
    [{ bin_name: 'a/../../b' }, 'has a part that names no file'],
    [{ bin_name: './a' }, 'has a part that names no file'],
    [{ bin_name: 'a//b' }, 'has a part that names no file'],
    [{ bin_name: 'a/' }, 'has a part that names no file'],
    [{ bin_name: '..' }, 'has a part that names no file'],
    [{ bin_name: 'a\0b' }, '"bin_name" has a NUL byte'],
    [{ bin_name: 'a\nb' }, '"bin_name" has control characters'],
    [{ bin_name: 'a\u0085b' }, '"bin_name" has control characters'],
    [{ bin_name: 'a'.repeat(5000) }, 'is longer than 4096 bytes'],
    [{ bin_name: 'a', args: 'x\0y' }, '"args" has a NUL byte'],
    [{ bin_name: 'a', start_time: 'soon' }, '"start_time" is neither'],
    [{ bin_name: 'a', time_interval: '10 x' }, '"time_interval" is not a list'],
    [{ bin_name: 'a', max_run_time: 1e12 }, '"max_run_time" is more than 1000000000 seconds'],
    [{ bin_name: 'a', max_run_time: '-1' }, '"max_run_time" is not a positive number'],
  ])('%j is refused', (fields, reason) => {
    expect(bin(fields)).toEqual({ ok: false, reason: expect.stringContaining(reason) })
  })

  test.each([
    ['1 2', ['1', '2']],
    ['  1   2 ', ['1', '2']],
    ['', []],
    ['a"b c\'d $(x) ;|&', ['a"b', "c'd", '$(x)', ';|&']],
    ['tab\tstays new\nline', ['tab\tstays', 'new\nline']],
  ])('arguments %j are the words %j', (args, words) => {
    expect(wordsOf(args)).toEqual(words)
  })

  test('loses one pair of quotes around all its arguments', () => {
    expect(bin({ bin_name: 'a', args: "'1 2'" })).toMatchObject({ value: { param: '1 2' } })
    expect(bin({ bin_name: 'a', args: "'1' '2" })).toMatchObject({ value: { param: "'1' '2" } })
  })
})

describe('an rpc task', () => {
  test('has its method, its URL and its JSON; quotes around them are not part of them', () => {
    const fields = { method: 'post', url: `'http://h/x?a=1'`, args: `'{"b":[1]}'` }
    expect(rpc(fields)).toMatchObject({
      ok: true,
      value: {
        call: 'rpc',
        script: 'http://h/x?a=1',
        controller: 'api/task/rpc',
        function: 'POST',
        param: '{"b":[1]}',
      },
    })
    expect(rpc({ ...fields, args: { b: [1] } })).toMatchObject({ value: { param: '{"b":[1]}' } })
  })

  test.each([
    [{ method: 'PATCH' }, '"method" is none of GET, POST, PUT, DELETE'],
    [{ method: '' }, '"method" is none of'],
    [{ url: '' }, '"url" is missing'],
    [{ url: 'h/x' }, '"url" is not a whole URL'],
    [{ url: 'file:///etc/passwd' }, '"url" is not a whole URL'],
    [{ url: 'unix:/run/x.sock' }, '"url" is not a whole URL'],
    [{ url: 'gopher://h/' }, '"url" is not a whole URL'],
    [{ url: 'http://u:p@h/' }, '"url" has a user or password in it'],
    [{ url: 'http://h/a\r\nX: y' }, '"url" has control characters'],
    [{ url: `http://h/${'a'.repeat(9000)}` }, '"url" is longer than 8192 bytes'],
    [{ args: '{' }, '"args" is not JSON'],
    [{ method: 'GET', args: '3' }, '"args" is no JSON object, and for GET it makes the query'],
  ])('with %j is refused', (changes, reason) => {
    const fields = { method: 'POST', url: 'http://h/', ...changes }
    expect(rpc(fields)).toEqual({ ok: false, reason: expect.stringContaining(reason) })
  })

  test('sends JSON as the body of POST and PUT, and in the query of GET and DELETE', () => {
    const request = (method: string, json: string, url = 'http://h/p?a=1#f') => {
      const made = rpcRequest(method, url, json)
      return made.ok && [made.value.url.pathname + made.value.url.search, made.value.body]
    }
    expect(request('POST', '{"b":2}')).toEqual(['/p?a=1', '{"b":2}'])
    expect(request('PUT', '[1]')).toEqual(['/p?a=1', '[1]'])
    expect(request('GET', '{"b":{"c":"d e"}}')).toEqual(['/p?a=1&b%5Bc%5D=d+e', ''])
    expect(request('DELETE', '{"b":2}', 'http://h')).toEqual(['/?b=2', ''])
    expect(request('GET', '')).toEqual(['/p?a=1', ''])
  })
})

test('the way of a task survives its queue, and is read again from its row', () => {
  const task = bin({ bin_name: 'a.sh', args: '1' })
  if (!task.ok) throw new Error(task.reason)
  const { data, opts } = toStored(task.value, 0)
  expect(fromStored('async_tasks', { id: opts.jobId, data, priority: 5 })).toEqual(task.value)
  expect(callOfRow(task.value)).toEqual({ call: 'bin' })
  expect(callOfRow({ controller: 'api/task/rpc' })).toEqual({ call: 'rpc' })
  expect(callOfRow({ controller: 'api/AccumulatePay' })).toEqual({})
  expect(callOfRow({ controller: 'cron', job: 'task:points' })).toEqual({ call: 'function' })
})

test('a uuid tells when it was made, and no two are the same', () => {
  const now = Date.parse('2026-11-21T09:00:00.123Z')
  const uuid = newUuid(now)
  expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(timeOfUuid(uuid)).toBe(now)
  expect(timeOfUuid('7f8e-nonsense')).toBeUndefined()
  expect(new Set(Array.from({ length: 1000 }, () => newUuid(now))).size).toBe(1000)
})
