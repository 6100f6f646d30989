import { request } from 'node:http'

export interface UnixRequest {
  readonly socket: string
  readonly method: 'GET' | 'POST'
  /** With its query. */
  readonly path: string
  /** Sent as JSON when there is one. */
  readonly body?: unknown
  readonly signal?: AbortSignal
  /** Silence of this length ends the request with ETIMEDOUT; not set: as long as it takes. */
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
export function requestUnix(options: UnixRequest): Promise<UnixResponse> {
  const { socket, method, path, body, signal, timeoutMs } = options
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body)
    const sent = request({
      socketPath: socket,
      method,
      path,
      agent: false,
      headers: {
        host: 'taskd',
        accept: 'application/json',
        ...(payload !== undefined && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
        }),
      },
      ...(signal && { signal }),
    })
    sent.once('error', reject)
    sent.once('response', response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') })
      })
    })
    if (timeoutMs !== undefined)
      sent.setTimeout(timeoutMs, () => {
        sent.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }))
      })
    sent.end(payload)
  })
}
