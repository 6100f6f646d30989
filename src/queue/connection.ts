import type { Duplex } from 'node:stream'
import { Redis, type RedisOptions } from 'ioredis'
import { TaskdError } from '../lib/errors.ts'
import {
  isCluster,
  isNodesUrl,
  readNodes,
  type SentinelNodes,
  withoutPasswords,
} from '../lib/redis-nodes.ts'
import { createCluster } from './cluster.ts'

/** Quick at first, because an embedded Redis is back within 20 ms; then every 2 s. */
const reconnectDelay = (attempt: number) => Math.min(20 * 2 ** Math.min(attempt - 1, 7), 2000)

/**
 * `work` waits through an outage: a command is sent again when Redis is back.
 * `ask` fails within a second, so that whoever asks gets an answer.
 */
export type Purpose = 'work' | 'ask'

declare const failsFast: unique symbol

/**
 * A client made to `ask`, or what works over one: it fails within a second rather than wait, and
 * sends nothing twice. Only `createClient` and `over` make one.
 */
export type FailFast<T = Redis> = T & { readonly [failsFast]: true }

/** What works over a client that fails fast does so, too. */
export function over<C extends FailFast, T>(client: C, make: (client: C) => T): FailFast<T> {
  return make(client) as FailFast<T>
}

/** Leaves time to answer within that second. */
const ASK_TIMEOUT_MS = 900

type Options = RedisOptions & { replyMapping: 'legacy' }

function optionsFor(purpose: Purpose, name: string): Options {
  const common: Options = {
    // The reply shapes of ioredis 5, which BullMQ and the scripts are written for.
    replyMapping: 'legacy',
    connectionName: name,
    retryStrategy: reconnectDelay,
    connectTimeout: 5000,
    // How long a finished process waits for a connection that is being closed.
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
export function createClient(url: string, purpose: 'ask', name: string): FailFast
export function createClient(url: string, purpose: Purpose, name: string): Redis
export function createClient(url: string, purpose: Purpose, name: string): Redis {
  const options = optionsFor(purpose, name)
  if (url.startsWith('unix:')) return quiet(new Redis({ ...options, ...unixTarget(url) }))
  if (/^rediss?:\/\//.test(url)) return quiet(new Redis(url, options))
  const nodes = isNodesUrl(url) ? readNodes(url) : undefined
  if (nodes?.ok && nodes.value.kind === 'sentinel')
    return quiet(new Redis({ ...options, ...sentinelTarget(nodes.value, purpose) }))
  if (nodes?.ok && nodes.value.kind === 'cluster')
    return quiet(createCluster(nodes.value, options, purpose === 'work'))
  throw new TaskdError(
    'E_REDIS_URL',
    `redis = ${withoutPasswords(url)} is not an address taskd knows`,
    'use embedded, redis://, rediss://, unix:/path, sentinel://h1:26379,h2:26379/name or cluster://h1:7000,h2:7001',
  )
}

/** What Redis answers when it takes no write for now: disk or memory full, a failover. */
const REFUSED =
  /(?:^|: -)(?:MISCONF|OOM|EXECABORT|READONLY|LOADING|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|UNBLOCKED)\b/

/** True for an error that only says that the command was not carried out, for now. */
export const isRefused = (error: unknown) => error instanceof Error && REFUSED.test(error.message)

/**
 * True when Redis has used up its memory and refuses what may add. In a MULTI the reason is in the
 * commands.
 */
export function isOutOfMemory(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { previousErrors = [] } = error as { previousErrors?: readonly Error[] }
  return [error, ...previousErrors].some(one => /(?:^|: -)OOM\b/.test(one.message))
}

const UNREACHED = [
  "Stream isn't writeable",
  'Connection is closed',
  'Command timed out',
  '^(?:connect|read|write) E',
  'All sentinels are unreachable',
  'None of startup nodes',
  'Too many Cluster redirections',
  "Cluster isn't ready",
  'Cluster is ended',
  'Failed to refresh slots cache',
]
const AWAY = new RegExp(UNREACHED.join('|'))

/** True for an error that only says that Redis could not be asked. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  // A script's error is wrapped in the engine's own words.
  if (error.name === 'MaxRetriesPerRequestError' || /LOADING|MISCONF/.test(error.message))
    return true
  return isRefused(error) || AWAY.test(error.message)
}

/** Calls back after each new connection over which commands go. @returns how to end that */
export function onConnected(client: Redis, then: () => void): () => void {
  if (!isCluster(client)) {
    client.on('ready', then)
    return () => void client.off('ready', then)
  }
  const added = (node: Redis) => void node.once('ready', then)
  client.on('+node', added)
  return () => void client.off('+node', added)
}

/**
 * Calls back when the connection is lost, after which `onConnected` is sure to. In a cluster never:
 * one of its nodes may be gone for good. @returns how to end that
 */
export function onDisconnected(client: Redis, then: () => void): () => void {
  if (isCluster(client)) return () => undefined
  client.on('close', then)
  return () => void client.off('close', then)
}

/**
 * Connection errors are seen by the health check; an unheard `error` event would end the process.
 * What is sent within one turn of the event loop goes out in one write: on a virtual machine a
 * write that wakes another process costs 0.1 ms, more than all else that a command does here.
 */
function quiet(client: Redis): Redis {
  client.on('error', () => undefined)
  const soften = (one: Redis) =>
    one.on('connect', () => coalesce((one as unknown as { stream?: Duplex }).stream))
  if (isCluster(client)) client.on('+node', soften)
  else soften(client)
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

/** The limit for a sentinel that accepts connections but never answers. */
const SENTINEL_LIMIT_MS = 1000
/** For `work` longer than any wait for tasks or messages; `ask` never waits for those. */
const SILENCE_MS = { work: 12_000, ask: 2000 }

function sentinelTarget(nodes: SentinelNodes, purpose: Purpose) {
  const { hosts, name, user, password, db, tls, sentinel } = nodes
  return {
    sentinels: [...hosts],
    name,
    db,
    ...(user !== '' && { username: user }),
    ...(password !== '' && { password }),
    ...(sentinel.user !== '' && { sentinelUsername: sentinel.user }),
    ...(sentinel.password !== '' && { sentinelPassword: sentinel.password }),
    ...(tls && { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true }),
    connectTimeout: 2000,
    sentinelCommandTimeout: SENTINEL_LIMIT_MS,
    // A machine that vanished closes no connection: commands would wait until the kernel
    // gives up, a quarter of an hour later. Not by the client's own failover detector: one that
    // strikes while the master is being looked for ends the client for good.
    socketTimeout: SILENCE_MS[purpose],
    // A master that has become a replica and has not yet disconnected its clients.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  }
}
