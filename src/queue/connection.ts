import type { Duplex } from 'node:stream'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { TaskdError } from '../lib/errors.ts'

/** Quick at first, because an embedded Redis is back within 20 ms; then every 2 s. */
const reconnectDelay = (attempt: number) => Math.min(20 * 2 ** Math.min(attempt - 1, 7), 2000)

/**
 * `work` waits through an outage: a command is sent again when Redis is back.
 * `ask` fails within a second, so that whoever asks gets an answer.
 */
export type Purpose = 'work' | 'ask'

const ASK_TIMEOUT_MS = 1000

type Options = RedisOptions & { replyMapping: 'legacy' }

function optionsFor(purpose: Purpose, name: string): Options {
  const common: Options = {
    // The reply shapes of ioredis 5, which BullMQ and the scripts are written for.
    replyMapping: 'legacy',
    connectionName: name,
    retryStrategy: reconnectDelay,
    connectTimeout: 5000,
    // How long a process that is otherwise done stays for a connection that was closed before.
    disconnectTimeout: 100,
    keepAlive: 10_000,
    lazyConnect: true,
  }
  if (purpose === 'work') return { ...common, maxRetriesPerRequest: null }
  return {
    ...common,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    commandTimeout: ASK_TIMEOUT_MS,
  }
}

/**
 * A client for a `redis`, `rediss`, `unix`, `sentinel` or `cluster` URL; not yet connected.
 * @throws TaskdError E_REDIS_URL
 */
export function createClient(url: string, purpose: Purpose, name: string): Redis {
  const options = optionsFor(purpose, name)
  if (url.startsWith('unix:')) return quiet(new Redis({ ...options, ...unixTarget(url) }))
  if (/^rediss?:\/\//.test(url)) return quiet(new Redis(url, options))
  if (url.startsWith('sentinel://')) return quiet(new Redis({ ...options, ...sentinelTarget(url) }))
  if (url.startsWith('cluster://')) {
    const { hosts, password } = parseHosts(url)
    const redisOptions = { ...options, ...(password !== '' && { password }) }
    // Cluster has every command of Redis, but no type in common with it.
    return quiet(new Cluster(hosts, { redisOptions, lazyConnect: true }) as unknown as Redis)
  }
  throw new TaskdError(
    'E_REDIS_URL',
    `redis = ${url.replace(/:[^:@/]*@/, ':***@')} is not an address taskd knows`,
    'use embedded, redis://, rediss://, unix:/path, sentinel://h1:26379,h2:26379/name or cluster://h1:7000,h2:7001',
  )
}

/** True for an error that says nothing but that Redis could not be asked. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error.name === 'MaxRetriesPerRequestError') return true
  return /Stream isn't writeable|Connection is closed|Command timed out|^(connect|read|write) E|LOADING|MISCONF|CLUSTERDOWN/.test(
    error.message,
  )
}

/**
 * Connection errors are seen by the health check; an unheard `error` event would end the process.
 * What is sent within one turn of the event loop goes out in one write: on a virtual machine a
 * write that wakes another process costs 0.1 ms, more than all else that a command does here.
 */
function quiet(client: Redis): Redis {
  client.on('error', () => undefined)
  client.on('connect', () => coalesce((client as unknown as { stream?: Duplex }).stream))
  return client
}

function coalesce(stream: Duplex | undefined): void {
  if (!stream) return
  const write = stream.write.bind(stream)
  // ioredis writes chunks, and neither names an encoding nor waits for a callback.
  stream.write = (chunk: unknown) => {
    if (stream.writableCorked === 0) {
      stream.cork()
      setImmediate(() => stream.uncork())
    }
    return write(chunk)
  }
}

/** `unix:/path`, `unix:///path`, `unix:/path?db=2`. */
function unixTarget(url: string) {
  const [path = '', query = ''] = url.slice('unix:'.length).split('?')
  const db = new URLSearchParams(query).get('db')
  return { path: path.replace(/^\/\/(?=\/)/, ''), ...(db !== null && { db: Number(db) }) }
}

function sentinelTarget(url: string) {
  const { hosts, password, path } = parseHosts(url)
  return { sentinels: hosts, name: path || 'mymaster', ...(password !== '' && { password }) }
}

function parseHosts(url: string) {
  const match = /^\w+:\/\/(?:(?:[^:@/]*):([^@/]*)@)?([^/?]+)(?:\/([^?]*))?/.exec(url)
  const [, password = '', list = '', path = ''] = match ?? []
  const hosts = list.split(',').map(one => {
    const [host = '', port = '6379'] = one.split(':')
    return { host, port: Number(port) }
  })
  return { hosts, password: decodeURIComponent(password), path }
}
