import { messageOf } from '../../src/lib/errors.ts'
import { redisClient } from '../support/daemon.ts'
import { freePort } from '../support/redis-groups.ts'
import { startRedis, type TestServer } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

const HOST = '127.0.0.1'
/** For so long the master holds back writes until its replica has all; then it stays the master. */
const CATCH_UP_MS = 10_000
const FAIL_OVER_MS = 90_000

/**
 * Redis keeps each write before it answers (a KILL loses nothing that was in the kernel), and never
 * waits for the disk: so whatever runs twice is no fault of Redis.
 */
const KEEP = [
  '--appendonly',
  'yes',
  '--appendfsync',
  'no',
  '--auto-aof-rewrite-percentage',
  '0',
  '--repl-diskless-sync-delay',
  '0',
]

/** Two Redis servers: a master, and a replica that can take its place. */
export interface RedisPair extends AsyncDisposable {
  /** The one that is the master now. */
  readonly master: TestServer
  readonly servers: readonly TestServer[]
  /**
   * Hands the role over by Redis's own FAILOVER, which waits until the replica has each write: none is
   * lost. Clients of the old master are told READONLY from then on.
   * @returns false when this Redis is older than 6.2 and has no such command
   */
  failOver(): Promise<boolean>
}

interface Member {
  readonly server: TestServer
  readonly port: number
}

export async function startRedisPair(): Promise<RedisPair> {
  const first = await startMember()
  const second = await startMember().catch(async (error: unknown) => {
    await first.server.remove()
    throw error
  })
  // Not by an argument: a server that is started again is the master, as only masters are ended.
  using follower = redisClient(second.server.path)
  await follower.replicaof(HOST, first.port)
  let [master, replica] = [first, second]
  return {
    get master() {
      return master.server
    },
    servers: [first.server, second.server],
    async failOver() {
      if (!(await handOver(master, replica))) return false
      ;[master, replica] = [replica, master]
      return true
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([first.server.remove(), second.server.remove()])
    },
  }
}

async function startMember(): Promise<Member> {
  const port = await freePort()
  const args = ['--port', `${port}`, '--bind', HOST, ...KEEP]
  return { server: await startRedis({ args }), port }
}

async function handOver(master: Member, replica: Member): Promise<boolean> {
  using old = redisClient(master.server.path)
  using next = redisClient(replica.server.path)
  const call = ['TO', HOST, `${replica.port}`, 'TIMEOUT', `${CATCH_UP_MS}`]
  let known = true
  const done = async () => {
    const info = await next.info()
    if (info.includes('role:master')) return true
    const failover = /master_failover_state:(\S+)/.exec(await old.info('replication'))?.[1]
    // Nothing is lost either when the new master is KILLed at once: its own file is whole.
    if ((failover ?? 'no-failover') !== 'no-failover' || !isWhole(info)) return false
    try {
      await old.call('FAILOVER', ...call)
    } catch (error) {
      if (/unknown command/i.test(messageOf(error))) known = false
      // It is not linked at the moment, or was not to be told.
      return !known
    }
    return false
  }
  await waitFor(done, { timeoutMs: FAIL_OVER_MS, what: 'the replica is the master' })
  return known
}

/** The replica is linked, and its append-only file has what it was given when it was linked. */
function isWhole(info: string): boolean {
  return ['master_link_status:up', 'aof_rewrite_in_progress:0', 'aof_rewrite_scheduled:0'].every(
    line => info.includes(line),
  )
}
