import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { type Proxy, startProxy } from '../nemesis/proxy.ts'
import { tempDir } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

/** A server that says back what it hears, with a proxy before it. */
async function echo(use: (proxy: Proxy, client: Client) => Promise<void>): Promise<void> {
  await using folder = tempDir('taskd-proxy-')
  const target = join(folder.path, 'echo')
  const server = createServer(socket => {
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  await new Promise<void>(done => server.listen(target, done))
  await using proxy = await startProxy(join(folder.path, 'proxy'), target)
  const client = new Client(proxy.path)
  try {
    await client.says('hello')
    await use(proxy, client)
  } finally {
    client.socket.destroy()
    server.close()
  }
}

class Client {
  readonly socket: Socket
  readonly pieces: string[] = []
  ended = false
  closed = false

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true })
    this.socket.on('data', piece => this.pieces.push(piece.toString()))
    this.socket.on('end', () => {
      this.ended = true
    })
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => {
      this.closed = true
    })
  }

  get heard(): string {
    return this.pieces.join('')
  }

  /** Resolves when it comes back. */
  async says(text: string): Promise<void> {
    const before = this.heard
    this.socket.write(text)
    await waitFor(() => this.heard === before + text, { what: `${text} comes back` })
  }
}

it('passes on what it gets, also in small pieces, and the end of it', () =>
  echo(async (proxy, client) => {
    proxy.set({ kind: 'split', bytes: 3 })
    await client.says('a longer text')
    proxy.set({ kind: 'clear' })
    await client.says(' and so on')
    expect(client.heard).toBe('helloa longer text and so on')
    client.socket.end()
    await waitFor(() => client.ended, { what: 'the end comes back' })
  }))

it('delays what passes', () =>
  echo(async (proxy, client) => {
    proxy.set({ kind: 'slow', ms: 200 })
    const begin = performance.now()
    await client.says('later')
    // Once on the way there, once on the way back.
    expect(performance.now() - begin).toBeGreaterThan(380)
  }))

it('swallows all and tells nobody, and gives it out when the weather clears', () =>
  echo(async (proxy, client) => {
    proxy.set({ kind: 'hold' })
    client.socket.write(' held')
    await delay(100)
    expect(client.heard).toBe('hello')
    expect(client.closed).toBe(false)
    proxy.set({ kind: 'clear' })
    await waitFor(() => client.heard === 'hello held', { what: 'it comes back at last' })
  }))

it('cuts what is open and refuses what comes', () =>
  echo(async (proxy, client) => {
    proxy.set({ kind: 'cut' })
    await waitFor(() => client.ended, { what: 'the connection is broken' })
    const other = connect({ path: proxy.path })
    other.on('error', () => undefined)
    other.resume()
    await once(other, 'close')
    proxy.set({ kind: 'clear' })
    const third = new Client(proxy.path)
    await third.says('again')
    expect(third.heard).toBe('again')
    third.socket.destroy()
  }))

it('closes the way back alone', () =>
  echo(async (proxy, client) => {
    proxy.set({ kind: 'half-closed' })
    await waitFor(() => client.ended, { what: 'the end of the server' })
    expect(client.closed).toBe(false)
    client.socket.write('is there anybody')
    await delay(50)
    expect(client.closed).toBe(false)
  }))
