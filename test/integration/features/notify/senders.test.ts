import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { mailer } from '../../../../src/features/notify/mail.ts'
import { SendError } from '../../../../src/features/notify/sender.ts'
import { webhook } from '../../../../src/features/notify/webhook.ts'
import type { Notice, NotifySpec } from '../../../../src/model/notice.ts'
import { startMail } from '../../../support/mail.ts'
import { noticeEvent } from '../../../support/notices.ts'
import { startWeb } from '../../../support/web.ts'

const notice: Notice = {
  id: '0c8d3f2e-1111-4222-8333-444455556666',
  notify: 'ops',
  node: 'web-1',
  at: '2026-11-21T09:00:00.000+00:00',
  title: 'taskd web-1: job a failed: größer <als> & sonst',
  text: 'job a failed\n\n.\ntaskd on web-1',
  events: [noticeEvent({ msg: 'größer' })],
  not_shown: 0,
  lost: 0,
  held: false,
}
const never = new AbortController().signal
const failure = async (sending: Promise<unknown>) => {
  const error: unknown = await sending.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof SendError) return error
  throw new Error(`no SendError: ${String(error)}`)
}

/** Takes connections and never says anything. */
async function silent(): Promise<{ port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.resume()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const NOW = 1_700_000_000_123
const hook = (url: string, format: NotifySpec['format'], limitMs = 10_000, secret = '') =>
  webhook({ url, format, secret, now: () => NOW, limitMs })

describe('a robot', () => {
  const said = async (format: NotifySpec['format'], answer: object | string, secret = '') => {
    const text = typeof answer === 'string' ? answer : JSON.stringify(answer)
    await using web = await startWeb((_, response) => response.end(text))
    const sending = hook(`${web.origin}/robot/send?key=k`, format, 10_000, secret).send(
      notice,
      never,
    )
    const [outcome] = await Promise.allSettled([sending])
    return { outcome, seen: web.seen[0] }
  }
  const content = `${notice.title}\n\n${notice.text}\n`

  test('of DingTalk gets a text, signed in the address', async () => {
    const { outcome, seen } = await said('dingtalk', { errcode: 0, errmsg: 'ok' }, 'SECabc')
    expect(outcome).toMatchObject({ status: 'fulfilled', value: { message: 'HTTP 200' } })
    expect(JSON.parse(seen?.body ?? '')).toEqual({ msgtype: 'text', text: { content } })
    const sign = createHmac('sha256', 'SECabc').update(`${NOW}\nSECabc`).digest('base64')
    const query = `key=k&timestamp=${NOW}&sign=${encodeURIComponent(sign)}`
    expect(seen?.url).toBe(`/robot/send?${query}`)
  })

  test('of Feishu gets a text, signed in the body', async () => {
    const { outcome, seen } = await said('feishu', { code: 0, msg: 'success' }, 'abc')
    expect(outcome.status).toBe('fulfilled')
    const timestamp = '1700000000'
    const sign = createHmac('sha256', `${timestamp}\nabc`).digest('base64')
    const signed = { timestamp, sign, msg_type: 'text', content: { text: content } }
    expect(JSON.parse(seen?.body ?? '')).toEqual(signed)
    expect((await said('feishu', { StatusCode: 0 })).outcome.status).toBe('fulfilled')
  })

  test('of WeCom gets a text of as many bytes as it takes', async () => {
    await using web = await startWeb((_, response) => response.end('{"errcode":0,"errmsg":"ok"}'))
    await hook(web.origin, 'wecom').send({ ...notice, text: '失败'.repeat(2000) }, never)
    const { text } = JSON.parse(web.seen[0]?.body ?? '') as { text: { content: string } }
    expect(Buffer.byteLength(text.content)).toBeGreaterThan(2040)
    expect(Buffer.byteLength(text.content)).toBeLessThanOrEqual(2048)
    expect(text.content).toMatch(/^taskd web-1: .*失败…$/s)
  })

  test.each([
    [
      'dingtalk',
      { errcode: 40035, errmsg: '缺少参数 json' },
      'HTTP 200: errcode 40035: 缺少参数 json',
    ],
    [
      'wecom',
      { errcode: 93000, errmsg: 'invalid webhook url' },
      'HTTP 200: errcode 93000: invalid webhook url',
    ],
    ['feishu', { code: 19021, msg: 'sign match fail' }, 'HTTP 200: code 19021: sign match fail'],
    ['feishu', { StatusCode: 9, StatusMessage: 'no' }, 'HTTP 200: StatusCode 9: no'],
    ['json', { errcode: '40035', errmsg: 'no' }, 'HTTP 200: errcode 40035: no'],
  ] as const)(
    'of %s that answers 200 and refuses has not taken it: %o',
    async (format, answer, message) => {
      const { outcome } = await said(format, answer)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { message, final: true } })
    },
  )

  test.each([
    ['dingtalk', { errcode: 130101 }],
    ['wecom', { errcode: 45009 }],
    ['feishu', { code: 9499 }],
    ['feishu', { code: 11232 }],
  ] as const)('of %s that has too much to do is asked again later: %o', async (format, answer) => {
    const { outcome } = await said(format, answer)
    const reason = { final: false, retryAfterMs: 60_000 }
    expect(outcome).toMatchObject({ status: 'rejected', reason })
  })

  test('says so itself: a page that answers in its place has taken nothing', async () => {
    const { outcome } = await said('dingtalk', '<html>log in</html>')
    expect(outcome).toMatchObject({ status: 'rejected', reason: { final: false } })
    expect((await said('json', { code: 7 })).outcome.status).toBe('fulfilled')
  })
})

describe('a webhook', () => {
  test('gets the whole notice as JSON, with its id and the password of its address', async () => {
    await using web = await startWeb((_, response) => response.writeHead(204).end())
    const sender = hook(`http://taskd:ge%40heim@127.0.0.1:${web.port}/hooks/secret`, 'json')
    expect(sender.to).toBe(`http://127.0.0.1:${web.port}/…`)
    expect(await sender.send(notice, never)).toEqual({ message: 'HTTP 204', refused: '' })
    expect(web.seen).toHaveLength(1)
    const [seen] = web.seen
    expect(JSON.parse(seen?.body ?? '')).toEqual(notice)
    expect(seen).toMatchObject({ method: 'POST', url: '/hooks/secret' })
    expect(seen?.headers).toMatchObject({
      'content-type': 'application/json',
      'x-taskd-notice': notice.id,
      authorization: `Basic ${Buffer.from('taskd:ge@heim').toString('base64')}`,
    })
  })

  test('gets text, or what a chat wants', async () => {
    await using web = await startWeb((_, response) => response.end('ok'))
    await hook(web.origin, 'text').send(notice, never)
    await hook(web.origin, 'slack').send(notice, never)
    const [text, slack] = web.seen
    expect(text?.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(text?.body).toBe(`${notice.title}\n\n${notice.text}\n`)
    expect(JSON.parse(slack?.body ?? '')).toEqual({
      text: `taskd web-1: job a failed: größer &lt;als&gt; &amp; sonst\n\n${notice.text}\n`,
    })
  })

  test('is followed to another place with the same POST, and without the password', async () => {
    await using other = await startWeb((_, response) => response.end())
    await using web = await startWeb((request, response) => {
      const location = request.url === '/a' ? '/b' : `${other.origin}/c`
      response.writeHead(request.url === '/a' ? 308 : 302, { location }).end()
    })
    await hook(`http://u:p@127.0.0.1:${web.port}/a`, 'json').send(notice, never)
    expect(web.seen.map(one => one.url)).toEqual(['/a', '/b'])
    expect(web.seen.every(one => one.headers.authorization !== undefined)).toBe(true)
    expect(other.seen).toMatchObject([{ method: 'POST', url: '/c' }])
    expect(other.seen[0]?.headers.authorization).toBe(undefined)
    expect(JSON.parse(other.seen[0]?.body ?? '')).toEqual(notice)
  })

  test('that redirects in a circle is not followed for long', async () => {
    await using web = await startWeb((_, response) =>
      response.writeHead(307, { location: '/again' }).end(),
    )
    const error = await failure(hook(web.origin, 'json').send(notice, never))
    expect(error.message).toBe('more than 3 redirects')
    expect(web.seen).toHaveLength(4)
  })

  test('that refuses is heard, in a few of its words', async () => {
    await using web = await startWeb((request, response) => {
      if (request.url === '/500') response.writeHead(500).end(`no\r\nspace ${'x'.repeat(1 << 20)}`)
      else response.writeHead(429, { 'retry-after': '7' }).end()
    })
    const broken = await failure(hook(`${web.origin}/500`, 'json').send(notice, never))
    expect(broken.message).toMatch(/^HTTP 500: no space x+$/)
    expect(broken.message.length).toBeLessThan(400)
    const busy = await failure(hook(`${web.origin}/429`, 'json').send(notice, never))
    expect(busy).toMatchObject({ message: 'HTTP 429', retryAfterMs: 7000 })
  })

  test('that accepts and never answers is given up, and its connection closed', async () => {
    await using web = await startWeb(() => undefined)
    const error = await failure(hook(web.origin, 'json', 200).send(notice, never))
    expect(error.message).toBe('no answer within 0.2 s')
    // The client keeps a fresh one for some seconds.
    await expect.poll(() => web.connections(), { timeout: 20_000 }).toBe(0)
  })

  test('that answers for ever has taken it', async () => {
    await using web = await startWeb((_, response) => {
      response.writeHead(200)
      response.write('so far')
    })
    expect(await hook(web.origin, 'json', 5000).send(notice, never)).toMatchObject({
      message: 'HTTP 200',
    })
  })

  test('that is not there is called so', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const refused = await failure(hook(`http://127.0.0.1:${port}`, 'json').send(notice, never))
    expect(refused.message).toContain('ECONNREFUSED')
    const unknown = await failure(hook('https://no.such.invalid/x', 'json').send(notice, never))
    expect(unknown.message).toMatch(/ENOTFOUND|EAI_AGAIN/)
  })

  test('is broken off at once when the daemon stops', async () => {
    await using web = await startWeb(() => undefined)
    const stopping = new AbortController()
    const sending = hook(web.origin, 'json').send(notice, stopping.signal)
    await expect.poll(() => web.seen.length).toBe(1)
    stopping.abort()
    await expect(sending).rejects.toThrow('aborted')
  })
})

describe('a mail', () => {
  const route = (server: string, to = ['ops@example.org']) => ({
    server,
    from: 'taskd <taskd@example.org>',
    to,
  })

  test('goes out by STARTTLS with user and password', async () => {
    await using mail = await startMail({ authOptional: false })
    const to = ['ops@example.org', 'Night <night@example.org>']
    const sender = mailer(route(`smtp://taskd:geheim@127.0.0.1:${mail.port}`, to))
    expect(sender.to).toBe(
      `ops@example.org, Night <night@example.org> by smtp://127.0.0.1:${mail.port}`,
    )
    const sent = await sender.send(notice, never)
    expect(sent).toEqual({ message: '250 kept as 1', refused: '' })
    const [got] = mail.mails
    expect(got).toMatchObject({
      from: 'taskd@example.org',
      to: ['ops@example.org', 'night@example.org'],
      user: 'taskd',
      secure: true,
    })
    expect(got?.text).toMatch(/^Auto-Submitted: auto-generated\r$/m)
    expect(got?.text).toContain(`Message-ID: <${notice.id}@example.org>`)
    expect(got?.text).toMatch(/^Subject: .*taskd/m)
    expect(got?.text).toContain('job a failed\r\n\r\n.')
  })

  test('goes out by TLS from the first byte', async () => {
    await using mail = await startMail({ secure: true })
    await mailer(route(`smtps://127.0.0.1:${mail.port}`)).send(notice, never)
    expect(mail.mails).toMatchObject([{ secure: true, user: '' }])
  })

  test('goes to a server of this machine that has neither TLS nor users', async () => {
    await using mail = await startMail({ hideSTARTTLS: true, disabledCommands: ['AUTH'] })
    await mailer(route(`smtp://127.0.0.1:${mail.port}`)).send(notice, never)
    expect(mail.mails).toMatchObject([{ secure: false }])
  })

  test('sends no password in the clear to another machine, nor to one that cannot prove its name', async () => {
    // Linux takes 0.0.0.0 for this machine; nobody else does.
    await using bare = await startMail({ hideSTARTTLS: true, allowInsecureAuth: true })
    const plain = mailer(route(`smtp://taskd:geheim@0.0.0.0:${bare.port}`))
    await failure(plain.send(notice, never))
    await using mail = await startMail()
    const forged = mailer(route(`smtp://taskd:geheim@0.0.0.0:${mail.port}`))
    expect((await failure(forged.send(notice, never))).message).toMatch(/certificate|altname/i)
    expect([...bare.mails, ...mail.mails]).toEqual([])
  })

  test('that is refused is heard in the words of the server', async () => {
    await using mail = await startMail({
      onRcptTo: ({ address }, _session, done) =>
        done(address.startsWith('no') ? new Error(`nobody is called ${address}`) : null),
    })
    const server = `smtp://127.0.0.1:${mail.port}`
    const wrong = mailer(route(`smtp://taskd:falsch@127.0.0.1:${mail.port}`))
    const denied = await failure(wrong.send(notice, never))
    expect(denied.message).toContain('Invalid username or password')
    expect(denied.message).not.toContain('falsch')
    const none = await failure(mailer(route(server, ['nobody@x'])).send(notice, never))
    expect(none.message).toContain('nobody is called nobody@x')
    const some = await mailer(route(server, ['nobody@x', 'ops@x'])).send(notice, never)
    expect(some.refused).toBe('nobody@x')
    expect(mail.mails).toMatchObject([{ to: ['ops@x'] }])
  })

  test('is given up where nobody greets', async () => {
    await using server = await silent()
    const sender = mailer(route(`smtp://127.0.0.1:${server.port}`), 200)
    expect((await failure(sender.send(notice, never))).message).toMatch(/greeting|timeout/i)
    const stopping = new AbortController()
    const sending = mailer(route(`smtp://127.0.0.1:${server.port}`)).send(notice, stopping.signal)
    stopping.abort()
    await expect(sending).rejects.toThrow('it was broken off')
  })

  test('has no line that a script has written in its head', async () => {
    await using mail = await startMail()
    const bad = { ...notice, title: 'x\r\nBcc: evil@example.org' }
    await mailer(route(`smtp://127.0.0.1:${mail.port}`)).send(bad, never)
    const [head = ''] = mail.mails[0]?.text.split('\r\n\r\n') ?? []
    expect(head).not.toMatch(/^Bcc:/m)
    expect(mail.mails[0]?.to).toEqual(['ops@example.org'])
  })
})
