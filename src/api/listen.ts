import { once } from 'node:events'
import { lstatSync, unlinkSync } from 'node:fs'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import { createAdaptorServer } from '@hono/node-server'
import { codeOf, messageOf, TaskdError } from '../lib/errors.ts'
import type { Service } from '../lib/service.ts'

export interface SocketServerOptions {
  /** A Hono app. */
  readonly app: { fetch(request: Request, env: unknown): Response | Promise<Response> }
  readonly path: string
  /** How long requests that are being answered may take once it stops, ms. */
  readonly closeLimitMs?: number
}

/** Owner and group may use it. */
const MODE = 0o660

/** Serves the API on a unix socket. A file that a dead daemon left behind is replaced. */
export class SocketServer implements Service {
  readonly name = 'control socket'
  readonly #options: SocketServerOptions
  #server: Server | undefined

  constructor(options: SocketServerOptions) {
    this.#options = options
  }

  /** @throws TaskdError E_RUNNING when somebody answers there, E_SOCKET when it cannot be made */
  async start(): Promise<void> {
    if (this.#server !== undefined) return
    const { app, path } = this.#options
    const make = () => {
      const server = createAdaptorServer({ fetch: (request, env) => app.fetch(request, env) })
      // No limit: Node silently drops headers beyond one, content-length among them.
      return Object.assign(server as Server, { maxHeadersCount: 0 })
    }
    try {
      this.#server = await listen(make(), path)
    } catch (error) {
      if (codeOf(error) !== 'EADDRINUSE') throw cannot(path, error)
      await removeStale(path)
      this.#server = await listen(make(), path).catch((second: unknown) => {
        throw cannot(path, second)
      })
    }
  }

  /** Takes no new connection, lets answers go out, and cuts what is left after the limit. */
  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = once(server, 'close')
    server.close()
    server.closeIdleConnections()
    const limit = setTimeout(() => server.closeAllConnections(), this.#options.closeLimitMs ?? 2000)
    await closed
    clearTimeout(limit)
  }
}

async function listen(server: Server, path: string): Promise<Server> {
  const listening = once(server, 'listening')
  // The socket is made inside this call, so that it never has another mode, not even for a moment.
  // A thread cannot set the mask of the process.
  const before = isMainThread ? process.umask(0o777 & ~MODE) : undefined
  try {
    server.listen(path)
  } finally {
    if (before !== undefined) process.umask(before)
  }
  await listening
  return server
}

/** Removes the socket of a dead daemon, on which nobody answers. */
async function removeStale(path: string): Promise<void> {
  // Connecting to a regular file fails just as with a dead socket.
  if (!lstatSync(path).isSocket())
    throw new TaskdError(
      'E_SOCKET',
      `cannot listen on ${path}: a file that is no socket is there`,
      'move it away, or look at socket in [taskd]',
    )
  const socket = connect(path)
  try {
    await once(socket, 'connect')
  } catch (error) {
    if (codeOf(error) !== 'ECONNREFUSED') throw cannot(path, error)
    unlinkSync(path)
    return
  } finally {
    socket.destroy()
  }
  throw new TaskdError(
    'E_RUNNING',
    `another process listens on ${path}`,
    'taskd status shows which; stop it, or set another data_dir',
  )
}

function cannot(path: string, error: unknown): TaskdError {
  const message = `cannot listen on ${path}: ${messageOf(error)}`
  return new TaskdError('E_SOCKET', message, 'look at data_dir and socket in [taskd]')
}
