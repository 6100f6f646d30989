import { rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** What a proxy does to what passes. */
export type Weather =
  | { readonly kind: 'clear' }
  /** Each piece, either way, comes so much later. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Pieces of a few bytes, each by itself. */
  | { readonly kind: 'split'; readonly bytes: number }
  /** Connections are broken, and new ones refused. */
  | { readonly kind: 'cut' }
  /** Nothing passes, and nobody is told: a network that swallows. */
  | { readonly kind: 'hold' }
  /** The server's side of each connection is closed, the client's stays open and is not read. */
  | { readonly kind: 'half-closed' }

const CLEAR: Weather = { kind: 'clear' }

/** Stands on a unix socket before a server on another one. */
export interface Proxy extends AsyncDisposable {
  readonly path: string
  readonly weather: Weather
  set(weather: Weather): void
  /** From now on it stands before another server. Connections to the old one are broken. */
  lead(target: string): void
  /** Connections that are open now. */
  readonly count: number
}

export async function startProxy(path: string, firstTarget: string): Promise<Proxy> {
  let weather: Weather = CLEAR
  let target = firstTarget
  const pairs = new Set<Pair>()
  const server = createServer({ allowHalfOpen: true }, client => {
    if (weather.kind === 'cut') {
      client.on('error', () => undefined)
      client.destroy()
      return
    }
    const pair = new Pair(client, target, () => weather)
    pairs.add(pair)
    pair.onEnd = () => pairs.delete(pair)
  })
  rmSync(path, { force: true })
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(path, done)
  })
  return {
    path,
    get weather() {
      return weather
    },
    get count() {
      return pairs.size
    },
    set(next) {
      weather = next
      for (const pair of pairs) pair.changed()
    },
    lead(next) {
      target = next
      for (const pair of pairs) pair.destroy()
    },
    async [Symbol.asyncDispose]() {
      for (const pair of pairs) pair.destroy()
      await closed(server)
    },
  }
}

const closed = (server: Server) => new Promise<void>(done => server.close(() => done()))

/** One connection through the proxy. */
class Pair {
  readonly #client: Socket
  readonly #server: Socket
  readonly #ways: readonly Way[]
  readonly #weather: () => Weather
  onEnd: () => void = () => undefined

  constructor(client: Socket, target: string, weather: () => Weather) {
    this.#client = client
    this.#weather = weather
    this.#server = connect({ path: target, allowHalfOpen: true })
    this.#ways = [new Way(client, this.#server, weather), new Way(this.#server, client, weather)]
    for (const socket of [client, this.#server]) {
      socket.on('error', () => this.destroy())
      socket.once('close', () => this.#closed())
    }
    this.changed()
  }

  changed(): void {
    const { kind } = this.#weather()
    if (kind === 'cut') this.destroy()
    else if (kind === 'half-closed') this.#client.end()
    else for (const way of this.#ways) way.go()
  }

  destroy(): void {
    this.#client.destroy()
    this.#server.destroy()
    this.onEnd()
  }

  /** A network that swallows keeps the word of a close to itself, too. */
  #closed(): void {
    if (this.#weather().kind !== 'hold') this.destroy()
  }
}

/** One direction: what came in and has not gone out. */
class Way {
  readonly #from: Socket
  readonly #to: Socket
  readonly #weather: () => Weather
  /** With the moment before which it must not pass, ms. */
  readonly #queue: { readonly piece: Buffer | undefined; readonly due: number }[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket, weather: () => Weather) {
    this.#from = from
    this.#to = to
    this.#weather = weather
    from.on('data', (piece: Buffer) => this.#take(piece))
    from.once('end', () => this.#take(undefined))
    to.on('drain', () => from.resume())
    from.once('close', () => clearTimeout(this.#timer))
  }

  #take(piece: Buffer | undefined): void {
    const weather = this.#weather()
    const due = performance.now() + (weather.kind === 'slow' ? weather.ms : 0)
    this.#queue.push({ piece, due })
    this.go()
  }

  /** Passes on what may pass now, and comes back for the rest. */
  go(): void {
    clearTimeout(this.#timer)
    for (;;) {
      const weather = this.#weather()
      const first = this.#queue[0]
      if (first === undefined || stands(weather) || this.#to.destroyed) return
      const wait = weather.kind === 'slow' ? first.due - performance.now() : 0
      if (wait > 0) {
        this.#timer = setTimeout(() => this.go(), wait)
        return
      }
      this.#queue.shift()
      if (first.piece === undefined) this.#to.end()
      else if (weather.kind === 'split') this.#inPieces(first.piece, weather.bytes)
      else if (!this.#to.write(first.piece)) this.#from.pause()
    }
  }

  #inPieces(piece: Buffer, bytes: number): void {
    // A large one would take all of the test's time: its begin and its end are enough.
    const whole = piece.length > 4096
    const parts = whole ? [piece.subarray(0, bytes), piece.subarray(bytes)] : slices(piece, bytes)
    for (const part of parts) this.#to.write(part)
  }
}

const stands = ({ kind }: Weather) => kind === 'hold' || kind === 'half-closed'

function slices(piece: Buffer, bytes: number): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at < piece.length; at += bytes) parts.push(piece.subarray(at, at + bytes))
  return parts
}
