import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { TLSSocket } from 'node:tls'
import { getRequestListener } from '@hono/node-server'
import { codeOf, messageOf, TaskdError } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { Service } from '../lib/service.ts'
import { Connections } from './connections.ts'
import { answerJunk, answerUnreadable, MAX_HEADERS, refuseHeaders } from './door-errors.ts'
import { SECURITY_HEADERS } from './guard.ts'
import { readTls, type TlsFiles } from './tls.ts'

export interface DoorLimits {
  /** For the whole of a request's headers; also for a connection that says nothing. */
  readonly headersMs: number
  /** For a whole request, its body included. */
  readonly requestMs: number
  /** How long a connection without a request is kept. */
  readonly keepAliveMs: number
  /** After this long an answer that the other side does not read is given up. */
  readonly stalledMs: number
  /** How often the first two are looked at. */
  readonly checkMs: number
  /** How long pending answers may take once it stops. */
  readonly closeMs: number
}

export const DOOR_LIMITS: DoorLimits = {
  headersMs: 15_000,
  requestMs: 60_000,
  keepAliveMs: 75_000,
  stalledMs: 30_000,
  checkMs: 5000,
  closeMs: 3000,
}

export interface DoorOptions {
  /** A Hono app. */
  readonly app: { fetch(request: Request, env: object): Response | Promise<Response> }
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** Not set: plain HTTP. */
  readonly tls?: TlsFiles | undefined
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly limits?: Partial<DoorLimits>
  readonly maxConnections?: number
}

/** How often the log mentions connections that were turned away. */
const TELL_DROPS_MS = 60_000

/** The API over TCP, for programs on this and other machines: HTTP/1.1, with TLS or without. */
export class HttpDoor implements Service {
  readonly name = 'http'
  readonly #options: DoorOptions
  readonly #limits: DoorLimits
  readonly #connections = new Connections()
  #server: Server | TlsServer | undefined
  #toldDropsAt = Number.NEGATIVE_INFINITY

  constructor(options: DoorOptions) {
    this.#options = options
    this.#limits = { ...DOOR_LIMITS, ...options.limits }
  }

  /** Where it listens; 0 while it does not. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null | undefined)?.port ?? 0
  }

  /** @throws TaskdError E_HTTP, E_TLS */
  async start(): Promise<void> {
    if (this.#server !== undefined) return
    const { host, port, tls, log } = this.#options
    const server = this.#make()
    const listening = once(server, 'listening')
    // The TCP of an address in brackets has none.
    server.listen({ host: host.replace(/^\[|\]$/g, ''), port, backlog: BACKLOG })
    try {
      await listening
    } catch (error) {
      throw cannot(host, port, error)
    }
    this.#server = server
    log.info({ address: `${host}:${this.port}`, tls: tls !== undefined }, 'http listens')
  }

  /** Takes no new connection, lets answers go out, and cuts what is left after the limit. */
  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = once(server, 'close')
    server.close()
    // Requests come on the inner ones; an outer one may still be at its handshake.
    this.#connections.closeIdle(
      socket => this.#options.tls === undefined || socket instanceof TLSSocket,
    )
    const limit = setTimeout(() => this.#connections.closeAll(), this.#limits.closeMs)
    await closed
    clearTimeout(limit)
  }

  /** Reads certificate and key again; when they cannot be used, the old ones stay. */
  reloadTls(): void {
    const { tls, log } = this.#options
    if (tls === undefined || this.#server === undefined) return
    try {
      ;(this.#server as TlsServer).setSecureContext(readTls(tls))
      log.info({ cert: tls.cert }, 'http certificate read anew')
    } catch (error) {
      const hint = error instanceof TaskdError ? error.hint : ''
      log.error({ error: messageOf(error), hint }, 'the old http certificate stays in use')
    }
  }

  #make(): Server | TlsServer {
    const { app, tls, maxConnections } = this.#options
    const limits = this.#limits
    const listener = getRequestListener((request, env) => app.fetch(request, env), {
      errorHandler: answerUnreadable,
    })
    const options = {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: limits.checkMs,
      // Notices when the other machine is gone, however long nothing is sent.
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
      noDelay: true,
      // The app says so itself, and in JSON.
      requireHostHeader: false,
    }
    const server =
      tls === undefined
        ? createServer(options)
        : createTlsServer({ ...options, ...readTls(tls), handshakeTimeout: limits.headersMs })
    // Node silently drops headers beyond its limit, content-length among them.
    server.maxHeadersCount = 0
    server.maxConnections = maxConnections ?? MOST_CONNECTIONS
    server.timeout = limits.stalledMs
    server.on('connection', socket => this.#connections.open(socket))
    server.on('secureConnection', socket => this.#connections.open(socket))
    server.on('request', (request, response: ServerResponse) => {
      this.#connections.asked(request.socket, response)
      // Here and not in the app, where setting them would cost as much as all the rest.
      for (const [name, value] of HEADERS) response.setHeader(name, value)
      if (request.rawHeaders.length > 2 * MAX_HEADERS) refuseHeaders(response)
      else void listener(request, response)
    })
    server.on('timeout', socket => this.#connections.onQuiet(socket, limits.stalledMs))
    server.on('clientError', (error, socket) => answerJunk(error, socket, this.#connections))
    server.on('drop', () => this.#tellDrop())
    return server
  }

  #tellDrop(): void {
    const now = performance.now()
    if (now - this.#toldDropsAt < TELL_DROPS_MS) return
    this.#toldDropsAt = now
    const most = this.#server?.maxConnections
    this.#options.log.warn(
      { connections: most },
      'http: too many connections; new ones are dropped',
    )
  }
}

/** An answer may have its own instead. */
const HEADERS = Object.entries(SECURITY_HEADERS)
const BACKLOG = 4096
const KEEP_ALIVE_PROBE_MS = 30_000
export const MOST_CONNECTIONS = 16_384

function cannot(host: string, port: number, error: unknown): TaskdError {
  const code = codeOf(error)
  const why =
    code === 'EADDRINUSE'
      ? 'another process listens there'
      : code === 'EACCES'
        ? 'ports below 1024 are for root'
        : messageOf(error)
  const hint = 'stop the other, or set another http in [taskd]'
  return new TaskdError('E_HTTP', `cannot listen on ${host}:${port}: ${why}`, hint)
}
