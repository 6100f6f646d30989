import type { Cluster, Redis } from 'ioredis'
import { isCluster } from '../lib/redis-nodes.ts'
import { memoryIn, type RedisMemory } from '../model/redis-memory.ts'
import { WRITE_PROBE } from '../queue/keys.ts'

export const DISK_FULL = 'cannot write its append-only file (is the disk full?)'

/** One look at the Redis behind an address, be it one server or many. */
export interface RedisLook {
  /** Why it cannot be used; '' when it can. */
  readonly problem: string
  /** The fullest of them, where there is a limit. */
  readonly memory: RedisMemory | undefined
  /** Where the current masters are, `host:port`; empty for an address of one server. */
  readonly servers: readonly string[]
}

/** A Redis that answers but refuses all writes is no better than none. */
export function lookAtRedis(redis: Redis): Promise<RedisLook> {
  if (isCluster(redis)) return lookAtCluster(redis as unknown as Cluster)
  return redis.options?.sentinels ? lookAtMaster(redis) : lookAtServer(redis)
}

async function lookAtServer(redis: Redis): Promise<RedisLook> {
  return { ...(await askForWrites(redis)), servers: [] }
}

async function ask(redis: Redis): Promise<Omit<RedisLook, 'servers'>> {
  const [persistence, memory] = await Promise.all([redis.info('persistence'), redis.info('memory')])
  return { problem: problemIn(persistence), memory: memoryIn(memory) }
}

/** Also tries a write that changes nothing: a replica, or a master without its replicas, refuses it. */
async function askForWrites(redis: Redis): Promise<Omit<RedisLook, 'servers'>> {
  const [look, refusal] = await Promise.all([
    ask(redis),
    redis.del(WRITE_PROBE).then(() => '', wordsFor),
  ])
  return { ...look, problem: look.problem || refusal }
}

async function lookAtMaster(redis: Redis): Promise<RedisLook> {
  return { ...(await askForWrites(redis)), servers: [addressOf(redis)] }
}

async function lookAtCluster(cluster: Cluster): Promise<RedisLook> {
  const owners = ownersOf(cluster)
  const known = new Map(cluster.nodes('all').map(node => [keyOf(node), node]))
  const looks = owners.map(async owner => {
    const node = known.get(owner)
    if (!node) return { problem: `no connection to ${owner}`, memory: undefined }
    const away = (error: unknown) => ({ problem: wordsFor(error), memory: undefined })
    const { problem, memory } = await ask(node).catch(away)
    return { problem: problem && `${owner} ${problem}`, memory }
  })
  const [state, ...found] = await Promise.all([stateOf(cluster), ...looks])
  // An ended connection comes back only when the client asks again which node serves what.
  if (owners.some(owner => !known.has(owner))) cluster.refreshSlotsCache(() => undefined)
  const problem = found.map(one => one.problem).find(Boolean) ?? state
  const [memory] = found
    .flatMap(one => one.memory ?? [])
    .toSorted((a, b) => b.used / b.max - a.used / a.max)
  return { problem, memory, servers: owners }
}

async function stateOf(cluster: Cluster): Promise<string> {
  const [info] = await Promise.all([cluster.cluster('INFO'), cluster.del(WRITE_PROBE)])
  return info.includes('cluster_state:ok') ? '' : 'the cluster says that it is down'
}

/** The servers that slots belong to, whether they answer or not. */
function ownersOf(cluster: Cluster): string[] {
  const { slots } = cluster as unknown as { readonly slots: readonly (readonly string[])[] }
  const owners = new Set<string>()
  for (const [owner] of slots) if (owner !== undefined) owners.add(owner)
  return [...owners].toSorted()
}

function keyOf({ options }: Redis): string {
  return `${options.host}:${options.port}`
}

function addressOf(redis: Redis): string {
  const { remoteAddress: host = '', remotePort = 0 } =
    (redis as unknown as { stream?: { remoteAddress?: string; remotePort?: number } }).stream ?? {}
  return host === '' ? '' : `${host.includes(':') ? `[${host}]` : host}:${remotePort}`
}

function problemIn(info: string): string {
  if (info.includes('aof_last_write_status:err')) return DISK_FULL
  if (info.includes('loading:1')) return 'is loading its data'
  return ''
}

/** An error in words for users; the client library speaks of streams and queues. */
export function wordsFor(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  if (/NOREPLICAS/.test(message)) return 'takes no writes: it has too few replicas'
  if (/READONLY|MASTERDOWN/.test(message)) return 'takes no writes: it is a replica'
  if (/CLUSTERDOWN/.test(message)) return 'the cluster says that it is down'
  if (message.includes('timed out')) return 'does not answer within a second'
  if (message.includes('All sentinels are unreachable')) return 'no sentinel answers'
  if (NO_CONNECTION.test(message)) return 'no connection'
  // Then it refuses even a PING.
  if (message.startsWith('MISCONF')) return DISK_FULL
  return `does not answer: ${message}`
}

const NO_CONNECTION = /isn't writeable|is closed|isn't ready|Cluster redirections|startup nodes/
