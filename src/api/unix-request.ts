import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'

export interface UnixRequest {
  readonly socket: string
  readonly method: 'GET' | 'POST'
  /** With its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON when there is one. */
  readonly body?: unknown
  readonly signal?: AbortSignal
  /** A silence of this length ends the request with ETIMEDOUT; not set: no limit. */
  readonly timeoutMs?: number
}

export interface UnixResponse {
  readonly status: number
  readonly text: string
}

/**
 * One HTTP exchange over a unix socket. Node's fetch cannot do that, and loading it costs more
 * than all the rest of `taskd status`.
 * @throws the system's error, with its code
 */
export async function requestUnix(options: UnixRequest): Promise<UnixResponse> {
  return textOf(await send(options))
}

/**
 * The same with an answer that comes in parts, for as long as it takes; an answer that is not a
 * success comes whole. @throws the system's error, with its code, also from `parts`
 */
export async function streamUnix(
  options: UnixRequest,
): Promise<UnixResponse | { readonly parts: AsyncIterable<Uint8Array> }> {
  const response = await send(options)
  if ((response.statusCode ?? 0) >= 300) return textOf(response)
  // From here on a silence is not an error.
  response.socket.setTimeout(0)
  return { parts: response }
}

function send({
  socket,
  method,
  path,
  headers,
  body,
  signal,
  timeoutMs,
}: UnixRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body)
    const sent = request({
      // Without an agent, which would check the host name by two large regular expressions.
      createConnection: () => connect(socket),
      method,
      path,
      headers: {
        host: 'taskd',
        accept: 'application/json',
        ...headers,
        ...(payload !== undefined && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
        }),
      },
      ...(signal && { signal }),
    })
    sent.once('error', reject)
    sent.once('response', resolve)
    if (timeoutMs !== undefined)
      sent.setTimeout(timeoutMs, () => {
        sent.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }))
      })
    sent.end(payload)
  })
}

async function textOf(response: IncomingMessage): Promise<UnixResponse> {
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }
}
