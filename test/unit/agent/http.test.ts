import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { Http } from '../../../src/agent/http.ts'

test.each([
  ['7', 7000],
  ['31536000', 3_600_000],
  ['1e300', 3_600_000],
  ['-1', undefined],
  ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
])('retry-after: %s', async (after, ms) => {
  const server = createServer((_asked, answer) =>
    answer.writeHead(429, { 'retry-after': after }).end(),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const base = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const http = new Http({ base, secret: undefined, ca: undefined, timeoutMs: 5000, maxBytes: 1000 })
  try {
    expect((await http.post('/x', {})).retryAfterMs).toBe(ms)
  } finally {
    http.close()
    server.close()
  }
})
