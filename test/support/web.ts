import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Web extends AsyncDisposable {
  readonly port: number
  /** `http://127.0.0.1:PORT` */
  readonly origin: string
  /** Every request that came in whole. */
  readonly seen: Seen[]
  /** Connections that are open now. */
  readonly connections: () => number
}

export type Handler = (request: Seen, response: ServerResponse, raw: IncomingMessage) => unknown

/** A server on a free loopback port. */
export async function startWeb(handle: Handler): Promise<Web> {
  const seen: Seen[] = []
  const sockets = new Set<Socket>()
  const server = createServer((raw, response) => {
    const parts: Buffer[] = []
    raw.on('data', (part: Buffer) => parts.push(part))
    raw.on('end', () => {
      const { method = '', url = '', headers } = raw
      const request = { method, url, headers, body: Buffer.concat(parts).toString('utf8') }
      seen.push(request)
      handle(request, response, raw)
    })
  })
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    seen,
    connections: () => sockets.size,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
