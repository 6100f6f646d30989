import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

export interface HttpOptions {
  readonly base: URL
  readonly secret?: string | undefined
  readonly ca?: Buffer | undefined
  /** For a whole exchange, ms. */
  readonly timeoutMs: number
  /** Of an answer, bytes. */
  readonly maxBytes: number
}

export interface HttpAnswer {
  readonly status: number
  readonly text: string
  /** What `retry-after` says, ms. */
  readonly retryAfterMs: number | undefined
}

/** JSON over connections that are kept: one for claims and one for reports are enough. */
export class Http {
  readonly #options: HttpOptions
  readonly #secure: boolean
  readonly #agent: HttpAgent

  constructor(options: HttpOptions) {
    const { base, ca } = options
    this.#options = options
    this.#secure = base.protocol === 'https:'
    const kept = { keepAlive: true, maxSockets: 2 }
    this.#agent = this.#secure
      ? new HttpsAgent({ ...kept, ...(ca && { ca }) })
      : new HttpAgent(kept)
  }

  /** @throws the system's error, with its code; or E_TIMEOUT, E_TOO_LARGE */
  post(path: string, body: unknown, signal?: AbortSignal): Promise<HttpAnswer> {
    const { base, secret, timeoutMs } = this.#options
    const payload = JSON.stringify(body)
    const url = new URL(`${base.pathname.replace(/\/+$/, '')}${path}`, base)
    const send = this.#secure ? httpsRequest : httpRequest
    return new Promise((resolve, reject) => {
      const sent = send(url, {
        method: 'POST',
        agent: this.#agent,
        headers: {
          accept: 'application/json',
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
          ...(secret !== undefined && { secret: Buffer.from(secret).toString('latin1') }),
        },
        ...(signal && { signal }),
      })
      const late = setTimeout(
        () => sent.destroy(coded('E_TIMEOUT', `no answer within ${timeoutMs / 1000} s`)),
        timeoutMs,
      )
      sent.on('error', reject)
      sent.once('response', response => {
        this.#read(response).then(resolve, reject)
      })
      sent.once('close', () => clearTimeout(late))
      sent.end(payload)
    })
  }

  close(): void {
    this.#agent.destroy()
  }

  async #read(response: IncomingMessage): Promise<HttpAnswer> {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      size += chunk.length
      if (size <= this.#options.maxBytes) continue
      response.destroy()
      throw coded('E_TOO_LARGE', `an answer of more than ${this.#options.maxBytes} bytes`)
    }
    const after = Number(response.headers['retry-after'])
    return {
      status: response.statusCode ?? 0,
      text: Buffer.concat(chunks).toString('utf8'),
      retryAfterMs: after > 0 ? Math.min(after * 1000, MOST_RETRY_AFTER_MS) : undefined,
    }
  }
}

/** However long a master, or what stands before it, asks for. */
const MOST_RETRY_AFTER_MS = 3_600_000

function coded(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
