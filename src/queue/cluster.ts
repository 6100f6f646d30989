import { Cluster, type ClusterNode, type Redis, type RedisOptions } from 'ioredis'
import type { ClusterNodes } from '../lib/redis-nodes.ts'

/** How often the client asks again which node serves what. Only so does it leave a node that vanished. */
const REFRESH_MS = 5000
const REFRESH_LIMIT_MS = 1000
const CLOSED = 'Connection is closed.'
const AGAIN_MS = 100
/**
 * For `ask`: all attempts together take less than its time limit, so that nothing is sent after it
 * has failed.
 */
const ATTEMPTS = 6

interface Handlers {
  connectionClosed(): void
}

type Options = NonNullable<ConstructorParameters<typeof Cluster<'legacy'>>[1]>

/** Private parts of ioredis' Cluster that SturdyCluster needs. */
interface Inner {
  manuallyClosing: boolean
  connectionPool: { removeAllListeners(event: 'drain'): void }
  setStatus(status: 'close'): void
  handleCloseEvent(): void
}

/**
 * ioredis' Cluster with its faults repaired. A patient one sends a command again until a node takes
 * it, as a plain client does; itself it does so only while another of its nodes is connected. And
 * it comes back from every loss: by itself it says "closed" once for each of its nodes, and what it
 * says late may end the next attempt, after which there is no other.
 */
class SturdyCluster extends Cluster {
  readonly #patient: boolean
  /** The nodes of the current attempt that have not ended. */
  #nodes = new Set<Redis>()

  constructor(startupNodes: ClusterNode[], options: Options, patient: boolean) {
    super(startupNodes, {
      ...options,
      maxRedirections: patient ? Number.POSITIVE_INFINITY : ATTEMPTS,
    })
    this.#patient = patient
    // For the engine, which wants a second connection to wait for tasks on, and gives up a wait
    // that takes too long: sent again later, that would take the word meant for its successor.
    const duplicate = (_: unknown, changes: Partial<Options> = {}) =>
      new SturdyCluster(startupNodes, { ...options, ...changes }, false)
    this.duplicate = duplicate as Cluster['duplicate']
    this.#inner.connectionPool.removeAllListeners('drain')
    this.on('+node', (node: Redis) => {
      const nodes = this.#nodes.add(node)
      node.once('end', () => {
        nodes.delete(node)
        const last = nodes === this.#nodes && nodes.size === 0 && this.nodes().length === 0
        if (last) this.#inner.setStatus('close')
      })
    })
  }

  get #inner(): Inner {
    return this as unknown as Inner
  }

  override connect(): Promise<void> {
    const begins = !['connecting', 'connect', 'ready'].includes(this.status)
    if (begins) {
      this.#nodes = new Set()
      // Keep trying after this attempt fails.
      this.#inner.manuallyClosing = false
    }
    return super.connect()
  }

  override disconnect(reconnect = false): void {
    const { status } = this
    super.disconnect(reconnect)
    // Between two attempts there is no node whose end could be waited for.
    if (this.#nodes.size > 0 || (status !== 'connecting' && status !== 'reconnecting')) return
    this.#inner.setStatus('close')
    this.#inner.handleCloseEvent()
  }

  override handleError(error: Error, ttl: { value?: number }, handlers: Handlers): void {
    const over = this.status === 'end' || this.#inner.manuallyClosing
    const wait = error.message === CLOSED && this.status !== 'ready' && !over
    if (wait && this.#patient) setTimeout(() => handlers.connectionClosed(), AGAIN_MS)
    else super.handleError(error, ttl, handlers)
  }
}

/** Cluster has every command of Redis, but no type in common with it. */
export function createCluster(
  { hosts, user, password, tls }: ClusterNodes,
  options: RedisOptions & { replyMapping: 'legacy' },
  patient: boolean,
): Redis {
  const { retryStrategy, enableOfflineQueue: _, ...nodeOptions } = options
  const all: Options = {
    lazyConnect: true,
    enableOfflineQueue: patient,
    // A cluster that is down refuses each command, which is sent again; a check that fails would
    // leave whoever waits for `connect()` without an answer for ever.
    enableReadyCheck: false,
    ...(retryStrategy && { clusterRetryStrategy: retryStrategy }),
    slotsRefreshTimeout: REFRESH_LIMIT_MS,
    slotsRefreshInterval: REFRESH_MS,
    // A certificate holds names, not addresses.
    ...(tls && { dnsLookup: (host, then) => then(null, host) }),
    redisOptions: {
      ...nodeOptions,
      ...(user !== '' && { username: user }),
      ...(password !== '' && { password }),
      ...(tls && { tls: {} }),
    },
  }
  return new SturdyCluster([...hosts], all, patient) as unknown as Redis
}
