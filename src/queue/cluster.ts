import { Cluster, type Redis, type RedisOptions } from 'ioredis'
import type { ClusterNodes } from '../lib/redis-nodes.ts'

/** How often who serves what is asked anew: a node that is gone without a word is then left. */
const REFRESH_MS = 5000
const REFRESH_LIMIT_MS = 1000
const CLOSED = 'Connection is closed.'
const AGAIN_MS = 100
/** Of `ask`: together shorter than its time limit, so that nothing is sent after a refusal. */
const ASK_ATTEMPTS = 6

interface Handlers {
  connectionClosed(): void
}

/**
 * A client that sends a command again until a node takes it, as a plain one does. Cluster itself
 * does so only while another of its nodes is connected.
 */
class PatientCluster extends Cluster {
  override handleError(error: Error, ttl: { value?: number }, handlers: Handlers): void {
    const wait = error.message === CLOSED && this.status !== 'ready' && !this.#over()
    if (wait) setTimeout(() => handlers.connectionClosed(), AGAIN_MS)
    else super.handleError(error, ttl, handlers)
  }

  #over(): boolean {
    const { manuallyClosing } = this as unknown as { manuallyClosing?: boolean }
    return this.status === 'end' || manuallyClosing === true
  }
}

/** Cluster has every command of Redis, but no type in common with it. */
export function createCluster(
  { hosts, user, password, tls }: ClusterNodes,
  options: RedisOptions & { replyMapping: 'legacy' },
  patient: boolean,
): Redis {
  const { retryStrategy, enableOfflineQueue: _, ...nodeOptions } = options
  const Client = patient ? PatientCluster : Cluster
  return new Client([...hosts], {
    lazyConnect: true,
    enableOfflineQueue: patient,
    maxRedirections: patient ? Number.POSITIVE_INFINITY : ASK_ATTEMPTS,
    ...(retryStrategy && { clusterRetryStrategy: retryStrategy }),
    slotsRefreshTimeout: REFRESH_LIMIT_MS,
    slotsRefreshInterval: REFRESH_MS,
    // A certificate speaks of names.
    ...(tls && { dnsLookup: (host, then) => then(null, host) }),
    redisOptions: {
      ...nodeOptions,
      ...(user !== '' && { username: user }),
      ...(password !== '' && { password }),
      ...(tls && { tls: {} }),
    },
  }) as unknown as Redis
}
