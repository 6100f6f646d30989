import { afterEach, describe, expect, test } from 'vitest'
import type { AllowedHost } from '../../../src/model/rpc-allow.ts'
import { callRpc, type Resolved } from '../../../src/workers/rpc-request.ts'
import type { RunOptions } from '../../../src/workers/runner.ts'
import { closeServers, LOOPBACK, rawServer, verdict, web } from '../../support/rpc.ts'
import { type Handler, startWeb } from '../../support/web.ts'

afterEach(closeServers)

describe('what goes wrong on the way', () => {
  const broken = { outcome: 'fail', kind: 'http', retryable: true }

  test('nobody listens: fail, retried, and no part of the path is told', async () => {
    const site = await startWeb(() => undefined)
    await site[Symbol.asyncDispose]()
    expect(await verdict({ url: `${site.origin}/secret?token=1` })).toMatchObject({
      ...broken,
      answer: { msg: `cannot ask ${site.origin}: the connection was refused` },
    })
  })

  test('there is no such host', async () => {
    const allowed: AllowedHost[] = [{ kind: 'name', name: 'nobody.invalid' }]
    const end = await verdict({ url: 'http://nobody.invalid/', options: { rpcAllow: allowed } })
    expect(end).toMatchObject(broken)
    expect(end.answer.msg).toMatch(
      /^cannot ask http:\/\/nobody\.invalid: (there is no such host|the name)/,
    )
  })

  test.each<[string, string, string]>([
    ['nothing', '', 'the connection was cut'],
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n', 'what came is no HTTP'],
    ['a body that is cut', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf', 'cut'],
    ['broken chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nx', 'no HTTP'],
    ['cut chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe', 'cut'],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx',
      'no HTTP',
    ],
    ['endless headers', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(70_000)}`, 'what came is no HTTP'],
    ['another protocol', 'HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n', ''],
  ])('the answer is %s: fail, retried', async (_what, bytes, reason) => {
    const url = await rawServer(socket => socket.end(bytes))
    const end = await verdict({ url })
    expect(end).toMatchObject({ ...broken, answer: { msg: expect.stringContaining(reason) } })
  })

  test('an answer whose end is the end of the connection is whole', async () => {
    const url = await rawServer(socket =>
      socket.end('HTTP/1.0 200 OK\r\n\r\n{"code":"succ","msg":"m"}'),
    )
    expect(await verdict({ url })).toMatchObject({ outcome: 'succ', answer: { msg: 'm' } })
  })

  test('an answer that comes in drops and one that comes with its headers are the same', async () => {
    const text = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'
    const url = await rawServer(socket => {
      const drop = (rest: string) => {
        if (rest === '') socket.end()
        else socket.write(rest.slice(0, 1), () => setImmediate(drop, rest.slice(1)))
      }
      drop(text)
    })
    expect(await verdict({ url })).toMatchObject({ outcome: 'succ', answer: { msg: 'ok' } })
  })
})

describe('a redirect', () => {
  const chain =
    (count: number, status: number): Handler =>
    (request, response) => {
      const at = Number(request.url.slice(1))
      if (at === count) {
        response.end('there')
        return
      }
      response.writeHead(status, { location: `/${at + 1}` })
      response.end('{"code":"fail"} not this')
    }

  test('is followed five times', async () => {
    const site = await web(chain(5, 302))
    expect(await verdict({ url: `${site.origin}/0` })).toMatchObject({
      outcome: 'succ',
      answer: { msg: 'there' },
    })
  })

  test('is followed no sixth time', async () => {
    const site = await web(chain(6, 307))
    expect(await verdict({ url: `${site.origin}/0` })).toMatchObject({
      kind: 'http',
      answer: { msg: 'was sent on more than 5 times' },
    })
    expect(site.seen).toHaveLength(6)
  })

  test.each([
    [301, 'POST', 'GET', ''],
    [302, 'POST', 'GET', ''],
    [303, 'PUT', 'GET', ''],
    [307, 'POST', 'POST', '{"a":1}'],
    [308, 'PUT', 'PUT', '{"a":1}'],
    [302, 'PUT', 'PUT', '{"a":1}'],
  ])('%i makes a %s a %s', async (status, method, then, body) => {
    const site = await web(chain(1, status))
    await verdict({ method, url: `${site.origin}/0`, args: '{"a":1}' })
    expect(site.seen[1]).toMatchObject({ method: then, body })
  })

  test.each([
    ['http://169.254.169.254/latest/meta-data/', 'metadata address'],
    ['http://[::ffff:169.254.169.254]/', 'metadata address'],
    ['http://[fe80::1]/', 'metadata address'],
    ['http://2852039166/', 'metadata address'],
    ['http://0xa9.0xfe.0xa9.0xfe/', 'metadata address'],
    ['http://127.0.0.2/', 'rpc_allow does not list 127.0.0.2:80'],
    ['http://[::1]/', 'rpc_allow does not list ::1:80'],
    ['http://93.184.216.34/', 'rpc_allow does not list 93.184.216.34:80'],
  ])('to %s is refused, and not retried', async (location, reason) => {
    const site = await web((_request, response) => response.writeHead(302, { location }).end())
    expect(await verdict({ url: site.origin })).toMatchObject({
      kind: 'spawn',
      retryable: false,
      answer: { msg: expect.stringContaining(reason) },
    })
  })

  test.each([
    'file:///etc/passwd',
    'gopher://127.0.0.1/',
    'http://u:p@127.0.0.1/',
    'http://',
    '//',
  ])('to %s is an error', async location => {
    const site = await web((_request, response) => response.writeHead(302, { location }).end())
    expect(await verdict({ url: site.origin })).toMatchObject({
      kind: 'http',
      answer: { msg: 'was sent on to what is no address of the web' },
    })
  })
})

describe('rpc_allow', () => {
  const refused = (url: string, rpcAllow: RunOptions['rpcAllow']) =>
    verdict({ url, options: { rpcAllow } })

  test.each([
    'http://127.0.0.1:1/',
    'http://localhost:1/',
    'http://LOCALHOST.:1/',
    'http://127.1:1/',
    'http://2130706433:1/',
    'http://0x7f000001:1/',
    'http://0177.0.0.1:1/',
    'http://0:1/',
    'http://[::1]:1/',
    'http://[::]:1/',
    'http://[::ffff:127.0.0.1]:1/',
    'http://[0:0:0:0:0:ffff:7f00:1]:1/',
    'http://169.254.169.254/',
    'http://①②⑦.0.0.1:1/',
  ])('without it %s is refused before anything is sent', async url => {
    expect(await refused(url, undefined)).toMatchObject({ kind: 'spawn', retryable: false })
  })

  test('with it, what is not listed is refused', async () => {
    const site = await web((_request, response) => response.end())
    const other: AllowedHost[] = [
      { ...LOOPBACK, port: site.port + 1 },
      { kind: 'name', name: 'a' },
    ]
    expect(await refused(site.origin, other)).toMatchObject({
      kind: 'spawn',
      answer: { msg: `rpc_allow does not list 127.0.0.1:${site.port}` },
    })
    expect(await refused(site.origin, [])).toMatchObject({ kind: 'spawn' })
    expect(site.seen).toEqual([])
  })
})

describe('a name', () => {
  const ask = (port: number, answers: Resolved[][], allowed?: AllowedHost[]) => {
    let asked = 0
    return callRpc({
      method: 'GET',
      url: new URL(`http://rebind.example:${port}/`),
      body: '',
      headers: {},
      allowed,
      signal: new AbortController().signal,
      onData: () => undefined,
      resolve: async () => answers[Math.min(asked++, answers.length - 1)] ?? [],
    }).then(end => ({ ...end, asked }))
  }
  const v4 = (address: string) => [{ address, family: 4 }]

  test('is resolved once for each hop, and what was checked is what is connected to', async () => {
    const site = await web((request, response) => {
      if (request.url === '/') response.writeHead(302, { location: '/again' })
      response.end(request.headers.host)
    })
    const allowed: AllowedHost[] = [{ kind: 'name', name: 'rebind.example' }]
    const end = await ask(site.port, [v4('127.0.0.1')], allowed)
    expect(end).toEqual({ type: 'answered', status: 200, statusText: 'OK', asked: 2 })
    expect(site.seen[0]?.headers.host).toBe(`rebind.example:${site.port}`)
  })

  test('that leads elsewhere the second time is checked the second time', async () => {
    const site = await web((_request, response) =>
      response.writeHead(302, { location: '/2' }).end(),
    )
    const allowed: AllowedHost[] = [{ kind: 'name', name: 'rebind.example' }]
    const end = await ask(site.port, [v4('127.0.0.1'), v4('169.254.169.254')], allowed)
    expect(end).toMatchObject({ type: 'refused', asked: 2 })
    expect(site.seen).toHaveLength(1)
  })

  test('that leads to this machine is refused, and nothing is sent', async () => {
    const site = await web((_request, response) => response.end())
    for (const address of ['127.0.0.1', '0.0.0.0', '169.254.169.254'])
      expect(await ask(site.port, [v4(address)])).toMatchObject({ type: 'refused' })
    const six = [{ address: '::ffff:127.0.0.1', family: 6 }]
    expect(await ask(site.port, [six])).toMatchObject({ type: 'refused' })
    expect(site.seen).toEqual([])
  })

  test('of several addresses only those that may be called are used', async () => {
    const site = await web((_request, response) => response.end('fine'))
    const both = [...v4('127.0.0.9'), ...v4('127.0.0.1')]
    expect(await ask(site.port, [both], [LOOPBACK])).toMatchObject({ type: 'answered' })
  })

  test('that leads nowhere is refused', async () => {
    expect(await ask(1, [[]])).toMatchObject({ type: 'refused' })
  })
})
