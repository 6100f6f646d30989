import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { type Certificate, selfSigned } from '../../support/certificate.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { waitFor } from '../../support/wait.ts'
import { openDoor, whole } from './open-door.ts'

async function withTls(limits = {}) {
  const dir = tempDir('taskd-tls-')
  const tls = { cert: join(dir.path, 'http.crt'), key: join(dir.path, 'http.key') }
  const write = (made: Certificate) => {
    writeFileSync(tls.cert, made.cert)
    writeFileSync(tls.key, made.key)
  }
  const first = selfSigned()
  write(first)
  const door = await openDoor({ tls, secrets: { all: 'hush' }, limits })
  return {
    door,
    first,
    tls,
    write,
    [Symbol.asyncDispose]: async () => {
      await door[Symbol.asyncDispose]()
      await dir.remove()
    },
  }
}

test('a client that trusts the certificate is served, one that does not is not', async () => {
  await using made = await withTls()
  const { door, first } = made
  const headers = { secret: 'hush' }
  expect((await door.ask('/api/status', { ca: first.cert, headers })).status).toBe(200)
  await expect(door.ask('/healthz')).rejects.toThrow(/self-signed/)
})

test('who speaks without TLS gets nothing, and others are still served', async () => {
  await using made = await withTls()
  const { door, first } = made
  const socket = await door.raw()
  socket.write('GET /api/status HTTP/1.1\r\nHost: localhost\r\nsecret: hush\r\n\r\n')
  expect(await whole(socket)).not.toContain('200 OK')
  expect((await door.ask('/healthz', { ca: first.cert })).status).toBe(200)
  expect(door.control.calls).toEqual([])
})

test('TLS older than 1.2 is not spoken', async () => {
  await using made = await withTls()
  const { door, first } = made
  const old = connect({
    port: door.port,
    host: '127.0.0.1',
    ca: first.cert,
    servername: 'localhost',
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  })
  const error = await new Promise<Error>(resolve => old.once('error', resolve))
  expect(error.message).toMatch(/alert|protocol/i)
})

test('a handshake that is never finished is not waited for', async () => {
  await using made = await withTls({ headersMs: 100, checkMs: 20 })
  const socket = await made.door.raw()
  await whole(socket)
  expect(socket.destroyed).toBe(true)
})

test('a stop does not wait for a handshake either', async () => {
  await using made = await withTls()
  const socket = await made.door.raw()
  const gone = whole(socket)
  const began = performance.now()
  await made.door.door.stop()
  expect(performance.now() - began).toBeLessThan(2000)
  await gone
})

test('a new certificate is taken over without a restart, and connections stay', async () => {
  await using made = await withTls()
  const { door, first, write } = made
  const open = connect({
    port: door.port,
    host: '127.0.0.1',
    ca: first.cert,
    servername: 'localhost',
  })
  await new Promise(resolve => open.once('secureConnect', resolve))
  const second = selfSigned()
  write(second)
  door.door.reloadTls()
  expect((await door.ask('/healthz', { ca: second.cert })).status).toBe(200)
  await expect(door.ask('/healthz', { ca: first.cert })).rejects.toThrow(/self-signed/)
  let text = ''
  open.on('data', part => {
    text += part.toString()
  })
  open.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
  expect(await waitFor(() => text.includes('200 OK'), { what: 'the old one answers' })).toBe(true)
  open.destroy()
})

test('half a new certificate changes nothing and is told', async () => {
  await using made = await withTls()
  const { door, first, tls } = made
  writeFileSync(tls.cert, selfSigned().cert)
  door.door.reloadTls()
  writeFileSync(tls.cert, 'no certificate')
  door.door.reloadTls()
  expect((await door.ask('/healthz', { ca: first.cert })).status).toBe(200)
  const told = door.logged.filter(([, text]) =>
    /old http certificate stays in use/.test(String(text)),
  )
  expect(told.map(([fields]) => fields)).toEqual([
    {
      error: expect.stringContaining('http_cert and http_key'),
      hint: expect.stringContaining('PEM'),
    },
    {
      error: expect.stringContaining('http_cert and http_key'),
      hint: expect.stringContaining('PEM'),
    },
  ])
})

test.each([
  ['a certificate that is not there', '/nowhere/http.crt', undefined],
  ['a key that is none', undefined, 'no key'],
])('with %s it does not start, and says why', async (_what, cert, key) => {
  await using dir = tempDir('taskd-tls-')
  const made = selfSigned()
  const tls = { cert: cert ?? join(dir.path, 'http.crt'), key: join(dir.path, 'http.key') }
  if (cert === undefined) writeFileSync(tls.cert, made.cert)
  writeFileSync(tls.key, key ?? made.key)
  await expect(openDoor({ tls })).rejects.toThrow(
    expect.objectContaining({ code: 'E_TLS', message: expect.stringContaining('http_cert') }),
  )
})
