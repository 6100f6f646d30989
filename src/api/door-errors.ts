import { type ServerResponse, STATUS_CODES } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { codeOf } from '../lib/errors.ts'
import type { Connections } from './connections.ts'
import { type Failure, failure, failureOf } from './errors.ts'
import { SECURITY_HEADERS } from './guard.ts'

/** A request whose address makes no URL, or that names no host: it never gets to the app. */
export function answerUnreadable(error: unknown): Response {
  const known = error instanceof Error && error.name === 'RequestError'
  const { status, body } = known
    ? failure(400, 'E_BAD_REQUEST', 'the address of the request, or its Host, cannot be read')
    : failureOf(error)
  return Response.json(body, { status, headers: SECURITY_HEADERS })
}

/** The most lines of headers; no real client sends more. */
export const MAX_HEADERS = 100

/** Nothing of its body is read. */
export function refuseHeaders(response: ServerResponse): void {
  const { status, body } = failure(431, 'E_TOO_LARGE', `more than ${MAX_HEADERS} headers`)
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify(body), () => response.destroy())
}

/** Answers what is not HTTP, or did not come in time. */
export function answerJunk(error: Error, socket: Duplex, connections: Connections): void {
  const code = codeOf(error)
  const begun = socket instanceof Socket && connections.hasBegun(socket)
  // After anything else, as a TLS handshake that failed, there is nobody to be told.
  const isHttp = code.startsWith('HPE_') || code.startsWith('ERR_HTTP_')
  if (!socket.writable || begun || !isHttp) {
    socket.destroy()
    return
  }
  const { status, body } = failureFor(code)
  const text = JSON.stringify(body)
  const headers = {
    ...SECURITY_HEADERS,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n`
  socket.end(head + text, () => socket.destroy())
}

function failureFor(code: string): Failure {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return failure(408, 'E_SLOW', 'the request did not come in time')
  if (code === 'HPE_HEADER_OVERFLOW')
    return failure(431, 'E_TOO_LARGE', 'the headers are larger than 16 KiB')
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW')
    return failure(413, 'E_TOO_LARGE', 'the chunk extensions are too large')
  if (code === 'HPE_INVALID_CONSTANT')
    return failure(
      400,
      'E_BAD_REQUEST',
      'this is not HTTP, or its address has a blank: write %20 or + for one',
    )
  return failure(400, 'E_BAD_REQUEST', 'this is not HTTP')
}
