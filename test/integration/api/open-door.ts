import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { connect, type Socket } from 'node:net'
import { createAuth, type Secrets } from '../../../src/api/auth.ts'
import type { Control } from '../../../src/api/control.ts'
import { type DoorOptions, HttpDoor } from '../../../src/api/door.ts'
import { createDoorApp } from '../../../src/api/door-app.ts'
import type { DoorModule } from '../../../src/api/door-routes.ts'
import { type Rate, RateLimiter } from '../../../src/api/rate.ts'
import { addMetrics as addChannelMetrics } from '../../../src/features/channel/metrics.ts'
import { addMetrics as addNotifyMetrics } from '../../../src/features/notify/metrics.ts'
import { addMetrics as addSourceMetrics } from '../../../src/features/table-queue/metrics.ts'
import { Events } from '../../../src/model/events.ts'
import { Metrics } from '../../../src/monitor/metrics.ts'
import { type FakeControl, fakeControl } from './fake-control.ts'

export interface OpenDoorOptions extends Pick<DoorOptions, 'limits' | 'tls' | 'maxConnections'> {
  readonly answers?: Partial<Control>
  readonly secrets?: Secrets
  readonly modules?: readonly DoorModule[]
  readonly rate?: Rate
  readonly notReady?: () => readonly string[]
  readonly host?: string
}

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly ca?: string | Buffer
}

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly text: string
  /** Of a body in JSON. */
  readonly json: () => Record<string, unknown>
}

export interface OpenDoor extends AsyncDisposable {
  readonly port: number
  readonly door: HttpDoor
  readonly app: ReturnType<typeof createDoorApp>
  readonly control: FakeControl
  readonly events: Events
  /** Every line of the log, whatever its level. */
  readonly logged: unknown[][]
  ask(path: string, asked?: Asked): Promise<Answered>
  /** A connection on which the test writes what it likes. */
  raw(): Promise<Socket>
}

/** The real door on a free port, in front of a Control that only remembers. */
export async function openDoor(options: OpenDoorOptions = {}): Promise<OpenDoor> {
  const { answers, secrets = {}, modules = [], rate, host = '127.0.0.1' } = options
  const control = fakeControl(answers)
  const logged: unknown[][] = []
  const note = (...args: unknown[]) => void logged.push(args)
  const log = { debug: note, info: note, warn: note, error: note }
  const events = new Events()
  const more = [addChannelMetrics, addNotifyMetrics, addSourceMetrics]
  const metrics = new Metrics({ events, version: '0.1.0', queueOf: () => 'sync_tasks', more })
  const auth = createAuth(secrets)
  const limiter = rate && new RateLimiter(rate, () => performance.now())
  const app = createDoorApp({
    control,
    log,
    version: '0.1.0',
    host,
    auth: () => auth,
    limiter: () => limiter,
    notReady: options.notReady ?? (() => []),
    metrics: {
      contentType: metrics.contentType,
      answered: (...what) => metrics.answered(...what),
      render: status =>
        metrics.render(
          status,
          new Map([
            ['sync_tasks', { oldestS: 1.5 }],
            ['async_tasks', { oldestS: 0, ended: { finished: 8, dead: 2 } }],
          ]),
        ),
    },
    now: () => performance.now(),
    modules,
  })
  const { limits, tls, maxConnections } = options
  const door = new HttpDoor({
    app,
    host,
    port: 0,
    tls,
    log,
    limits: { closeMs: 200, ...limits },
    ...(maxConnections !== undefined && { maxConnections }),
  })
  await door.start()
  const { port } = door
  return {
    port,
    door,
    app,
    control,
    events,
    logged,
    ask: (path, asked = {}) => ask(tls !== undefined, port, path, asked),
    raw: async () => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      await new Promise<void>(resolve => socket.once('connect', resolve))
      return socket
    },
    [Symbol.asyncDispose]: async () => {
      await door.stop()
      metrics.close()
    },
  }
}

function ask(tls: boolean, port: number, path: string, asked: Asked): Promise<Answered> {
  const { method = 'GET', headers = {}, body, ca } = asked
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers, agent: false, ca } as const
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const all = { ...options, headers: { ...length, ...headers }, servername: 'localhost' }
    const sent = tls ? tlsRequest(all) : plainRequest(all)
    sent.once('error', reject)
    sent.once('response', response => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.once('error', reject)
      response.once('end', () => {
        const text = Buffer.concat(parts).toString('utf8')
        const json = () => JSON.parse(text) as Record<string, unknown>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json })
      })
    })
    sent.end(body)
  })
}

/** Everything that comes on a connection, until it is closed. */
export function whole(socket: Socket): Promise<string> {
  return new Promise(resolve => {
    let text = ''
    socket.on('data', part => {
      text += part.toString('latin1')
    })
    socket.once('close', () => resolve(text))
  })
}

/** The code of an error answer. */
export function codeOf(answer: Answered): unknown {
  return (answer.json()['error'] as { code: unknown } | undefined)?.code
}
