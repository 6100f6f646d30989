import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { judge } from '../../../src/model/run-result.ts'
import type { OutputPart } from '../../../src/workers/spawn.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { call, closeServers, verdict, web } from '../../support/rpc.ts'
import { waitFor } from '../../support/wait.ts'

afterEach(closeServers)

describe('what is sent', () => {
  test('POST and PUT send their JSON as the body', async () => {
    const site = await web((_request, response) => response.end('{"code":"succ","msg":"m"}'))
    for (const method of ['POST', 'PUT'])
      expect(
        await verdict({ method, url: `${site.origin}/x?a=1`, args: '{"b": [1]}' }),
      ).toMatchObject({ outcome: 'succ', kind: '', answer: { code: 'succ', msg: 'm' } })
    expect(site.seen).toMatchObject([
      { method: 'POST', url: '/x?a=1', body: '{"b": [1]}' },
      { method: 'PUT', url: '/x?a=1', body: '{"b": [1]}' },
    ])
    expect(site.seen[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': '10',
      'taskd-task-id': 'id-1',
      'taskd-attempt': '3',
    })
  })

  test('GET and DELETE put it into the query, and send no body', async () => {
    const site = await web((_request, response) => response.end('fine'))
    for (const method of ['GET', 'DELETE'])
      await verdict({ method, url: `${site.origin}/x?a=1`, args: '{"b":[1,"ü"]}' })
    expect(site.seen.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['GET', '/x?a=1&b%5B0%5D=1&b%5B1%5D=%C3%BC', ''],
      ['DELETE', '/x?a=1&b%5B0%5D=1&b%5B1%5D=%C3%BC', ''],
    ])
  })

  test('such a run has no process', async () => {
    const site = await web((_request, response) => response.end())
    const run = call({ url: site.origin })
    await run.ending
    expect(run.pids).toEqual([0])
  })
})

describe('what the answer means', () => {
  const answered = async (status: number, body: string) => {
    const site = await web((_request, response) => {
      response.statusCode = status
      response.end(body)
    })
    return verdict({ url: site.origin })
  }

  test('2xx without a code: succ, with the end of the body as its message', async () => {
    expect(await answered(200, 'all is well')).toMatchObject({
      outcome: 'succ',
      answer: { code: 'succ', msg: 'all is well' },
    })
    expect(await answered(204, '')).toMatchObject({ outcome: 'succ', answer: { msg: '' } })
    expect(await answered(201, '{"id":7}')).toMatchObject({ outcome: 'succ' })
  })

  test('2xx with a code: as if a script had said it', async () => {
    expect(await answered(200, '{"code":"fail","msg":"no","data":{"a":1}}')).toMatchObject({
      outcome: 'fail',
      kind: 'answer',
      retryable: true,
      answer: { code: 'fail', msg: 'no', data: { a: 1 } },
    })
    expect(await answered(200, '{"code":"later"}')).toMatchObject({
      outcome: 'other',
      kind: 'answer',
      retryable: false,
    })
  })

  test.each([
    ['600 lists in each other', `{"code":"succ","data":${'['.repeat(600)}${']'.repeat(600)}}`],
    ['a million lists', `{"code":"succ","data":${'['.repeat(1e6)}`],
    ['3 MiB', `{"code":"succ","data":[${'{},'.repeat(1 << 20)}0]}`],
  ])('an answer of %s: fail, kind answer, and little of it is kept', async (_what, body) => {
    const found = await answered(200, body)
    expect(found).toMatchObject({ outcome: 'fail', kind: 'answer', answer: { data: [] } })
    expect(found.answer.msg.length).toBeLessThan(1000)
    // A failure is told by its status, whatever is in its body.
    expect(await answered(500, body)).toMatchObject({ outcome: 'fail', kind: 'http' })
  })

  test.each([400, 404, 429, 500, 503, 304])('%i: fail, kind http, retried', async status => {
    expect(await answered(status, 'why')).toMatchObject({
      outcome: 'fail',
      kind: 'http',
      retryable: true,
      answer: { code: 'fail', msg: expect.stringMatching(new RegExp(`^HTTP ${status} .+`)) },
      exitCode: null,
    })
  })

  test('what a failure says is its message, also when it says succ', async () => {
    expect(await answered(500, '{"code":"succ","msg":"broken inside"}')).toMatchObject({
      outcome: 'fail',
      kind: 'http',
      answer: { msg: 'HTTP 500 Internal Server Error: broken inside' },
    })
  })
})

describe('a limit', () => {
  test('max_run_time ends a request that gets no answer: kind timeout', async () => {
    const time = fakeClock()
    const site = await web(() => undefined)
    const run = call({ url: site.origin, clock: time.clock, options: { maxRunTimeMs: 5000 } })
    await waitFor(() => site.seen.length === 1, { what: 'it has been asked' })
    await time.advance(4999)
    expect(site.connections()).toBe(1)
    await time.advance(1)
    expect(await run.verdict).toMatchObject({
      outcome: 'fail',
      kind: 'timeout',
      retryable: true,
      answer: { msg: 'ran longer than 5 s' },
    })
    await waitFor(() => site.connections() === 0, { what: 'the connection is given up' })
  })

  test('max_run_time ends an answer without end, and what came of it is kept', async () => {
    const time = fakeClock()
    const site = await web((_request, response) => endless(response, 'drip\n'))
    const run = call({ url: site.origin, clock: time.clock, options: { maxRunTimeMs: 5000 } })
    const parts: OutputPart[] = []
    run.watch(part => parts.push({ ...part, bytes: Buffer.from(part.bytes) }))
    await waitFor(() => parts.length > 2, { what: 'some of it has come' })
    await time.advance(5000)
    const end = await run.verdict
    expect(end).toMatchObject({ kind: 'timeout', retryable: true })
    expect(end.output).toContain('drip\n')
  })

  test('a gigabyte is read to its end, and its last part is kept', async () => {
    const before = process.memoryUsage().rss
    const site = await web((_request, response) => large(response, 1 << 30, '{"code":"later"}'))
    const ended = await call({ url: site.origin }).ending
    expect(ended.written).toBe((1 << 30) + 16)
    expect(ended.stdout.length).toBe(1 << 20)
    expect(ended.output.length).toBe(64 * 1024)
    expect(judge(ended)).toMatchObject({ outcome: 'other', answer: { code: 'later' } })
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6)
  })
})

describe('who ends it', () => {
  test('a person: kind cancelled, at once', async () => {
    const site = await web(() => undefined)
    const run = call({ url: site.origin })
    await waitFor(() => site.seen.length === 1, { what: 'it has been asked' })
    run.stop('cancelled', 'cancelled by hand')
    run.stop('timeout', 'too late')
    expect(await run.verdict).toMatchObject({
      kind: 'cancelled',
      retryable: false,
      answer: { msg: 'cancelled by hand' },
    })
    await waitFor(() => site.connections() === 0, { what: 'the connection is given up' })
  })

  test('a drain: given back, and no failure', async () => {
    const site = await web(() => undefined)
    const run = call({ url: site.origin })
    await waitFor(() => site.seen.length === 1, { what: 'it has been asked' })
    run.stop('returned', 'taskd is stopping')
    const ended = await run.ending
    expect(ended).toMatchObject({ stopped: 'returned' })
    expect(ended).not.toHaveProperty('cause')
  })

  test('one who asks before it has begun', async () => {
    const site = await web(() => undefined)
    const run = call({ url: site.origin })
    run.stop('cancelled', 'never mind')
    expect(await run.verdict).toMatchObject({ kind: 'cancelled' })
    expect(site.seen).toEqual([])
  })
})

function endless(response: ServerResponse, text: string): void {
  if (response.destroyed) return
  response.write(text, () => setTimeout(endless, 1, response, text))
}

function large(response: ServerResponse, bytes: number, last: string): void {
  const block = Buffer.alloc(1 << 20, '.\n')
  const next = (left: number) => {
    if (left <= 0) response.end(last)
    else response.write(block, () => next(left - block.length))
  }
  next(bytes)
}
