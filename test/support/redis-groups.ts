import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Cluster, Redis } from 'ioredis'
import { asks, findBinary, startServer, type TestServer } from './server-process.ts'
import { startRedis } from './servers.ts'
import { tempDir } from './temp-dir.ts'
import { waitFor } from './wait.ts'

const run = promisify(execFile)
const HOST = '127.0.0.1'
const QUIET = { replyMapping: 'legacy', retryStrategy: () => 50 } as const

/** Several Redis servers that stand in for each other, on ports of the loopback. */
export interface RedisGroup extends AsyncDisposable {
  /** For `redis =`. */
  readonly url: string
  readonly servers: readonly Member[]
  /** A client that waits through a failover. */
  client(): Redis & Disposable
}

export interface Member extends TestServer {
  readonly port: number
}

export interface SentinelGroup extends RedisGroup {
  readonly sentinels: readonly Member[]
  /** Whom the sentinels call the master now. */
  master(): Promise<Member>
}

const KEEP = ['--appendonly', 'yes', '--appendfsync', 'everysec']

/** One master, two replicas and three sentinels; the master takes no write without a replica. */
export async function startSentinels(): Promise<SentinelGroup> {
  const all: Member[] = []
  try {
    const careful = ['--min-replicas-to-write', '1', '--repl-diskless-sync-delay', '0']
    const first = await startMember(all, [...KEEP, ...careful])
    const follow = [...KEEP, ...careful, '--replicaof', `${HOST} ${first.port}`]
    const replicas = await Promise.all([startMember(all, follow), startMember(all, follow)])
    const servers = [first, ...replicas]
    await waitFor(
      async () => (await say(first.port, 'INFO replication')).includes('good_slaves:2'),
      {
        timeoutMs: 30_000,
        what: 'both replicas follow',
      },
    )
    const ports = await Promise.all([0, 1, 2].map(freePort))
    const sentinels = await Promise.all(ports.map(port => startSentinel(all, port, first.port)))
    await waitFor(() => agreed(ports), { timeoutMs: 30_000, what: 'the sentinels know each other' })
    const master = async () => {
      for (const port of ports) {
        const answer = await say(port, 'SENTINEL GET-MASTER-ADDR-BY-NAME mymaster').catch(() => '')
        const found = servers.find(one => answer.includes(`\r\n${one.port}\r\n`))
        if (found) return found
      }
      throw new Error('no sentinel names a master')
    }
    return {
      url: `sentinel://${ports.map(port => `${HOST}:${port}`).join()}/mymaster`,
      servers,
      sentinels,
      master,
      client: () => {
        const addresses = ports.map(port => ({ host: HOST, port }))
        const more = {
          sentinels: addresses,
          name: 'mymaster',
          maxRetriesPerRequest: null,
          socketTimeout: 5000,
        }
        return disposable(new Redis({ ...QUIET, ...more }))
      },
      [Symbol.asyncDispose]: () => removeAll(all),
    }
  } catch (error) {
    await removeAll(all)
    throw error
  }
}

/** Three masters, each with a third of the slots. @param replicas of each */
export async function startCluster(replicas: 0 | 1 = 0): Promise<RedisGroup> {
  const all: Member[] = []
  try {
    const servers = await Promise.all(
      Array.from({ length: 3 + 3 * replicas }, async () => {
        const bus = ['--cluster-port', `${await freePort()}`, '--cluster-node-timeout', '3000']
        return startMember(all, ['--cluster-enabled', 'yes', ...bus, ...KEEP])
      }),
    )
    const hosts = servers.map(one => `${HOST}:${one.port}`)
    const more = ['--cluster-replicas', `${replicas}`, '--cluster-yes']
    await run(findBinary('redis-cli'), ['--cluster', 'create', ...hosts, ...more])
    const serves = async () => {
      const ask = (text: string) => Promise.all(servers.map(one => say(one.port, text)))
      const [states, roles] = await Promise.all([ask('CLUSTER INFO'), ask('INFO replication')])
      const followed = roles.filter(one => one.includes(`connected_slaves:${replicas}`))
      const linked = roles.filter(one => one.includes('master_link_status:up'))
      if (followed.length < 3 || linked.length < 3 * replicas) return false
      return states.every(one => one.includes('cluster_state:ok'))
    }
    await waitFor(serves, { timeoutMs: 30_000, what: 'the cluster serves' })
    return {
      url: `cluster://${hosts.slice(0, 3).join()}`,
      servers,
      client: () => {
        const nodes = servers.map(one => ({ host: HOST, port: one.port }))
        const patient = { maxRedirections: 1000, clusterRetryStrategy: () => 50 }
        const client = new Cluster(nodes, { ...patient, redisOptions: { replyMapping: 'legacy' } })
        return disposable(client as unknown as Redis)
      },
      [Symbol.asyncDispose]: () => removeAll(all),
    }
  } catch (error) {
    await removeAll(all)
    throw error
  }
}

function disposable(client: Redis): Redis & Disposable {
  client.on('error', () => undefined)
  return Object.assign(client, { [Symbol.dispose]: () => client.disconnect() })
}

async function removeAll(all: Member[]): Promise<void> {
  await Promise.all(all.map(one => one.remove()))
}

async function startMember(all: Member[], args: readonly string[]): Promise<Member> {
  const port = await freePort()
  const server = await startRedis({ args: ['--port', `${port}`, '--bind', HOST, ...args] })
  const member = withPort(server, port)
  all.push(member)
  return member
}

async function startSentinel(all: Member[], port: number, master: number): Promise<Member> {
  const folder = tempDir('taskd-sentinel-')
  const path = join(folder.path, 'sentinel.sock')
  const file = join(folder.path, 'sentinel.conf')
  const watch = [
    `monitor mymaster ${HOST} ${master} 2`,
    'down-after-milliseconds mymaster 2000',
    'failover-timeout mymaster 10000',
    'parallel-syncs mymaster 2',
  ]
  const own = [`port ${port}`, `bind ${HOST}`, `unixsocket ${path}`, `dir ${folder.path}`]
  writeFileSync(file, [...own, ...watch.map(line => `sentinel ${line}`), ''].join('\n'))
  const server = await startServer({
    name: 'redis-sentinel',
    command: findBinary('redis-server'),
    args: [file, '--sentinel'],
    url: `redis://${HOST}:${port}`,
    path,
    dir: folder.path,
    ready: socket => asks(socket, Buffer.from('PING\r\n'), data => data.includes('+PONG')),
    cleanUp: () => folder.remove(),
  })
  const member = withPort(server, port)
  all.push(member)
  return member
}

/** The getters stay what they are. */
function withPort(server: TestServer, port: number): Member {
  return Object.defineProperty(server, 'port', { value: port, enumerable: true }) as Member
}

async function agreed(ports: readonly number[]): Promise<boolean> {
  const answers = await Promise.all(ports.map(port => say(port, 'SENTINEL MASTERS')))
  const has = (answer: string, name: string, value: string) =>
    answer.includes(`\r\n${name}\r\n$${value.length}\r\n${value}\r\n`)
  return answers.every(one => has(one, 'num-other-sentinels', '2') && has(one, 'num-slaves', '2'))
}

/** One command, and what comes back. */
function say(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect({ host: HOST, port })
    socket.setTimeout(2000, () => socket.destroy(new Error(`${port} does not answer`)))
    socket.once('error', reject)
    socket.on('data', chunk => {
      text += String(chunk)
      // Sentinels know no QUIT.
      if (text.endsWith('+PONG\r\n')) socket.end()
    })
    socket.once('close', () => resolve(text))
    socket.write(`${command}\r\nPING\r\n`)
  })
}

/** Below those that the kernel gives to outgoing connections, which would take it in between. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, HOST, () => server.close(() => resolve(true)))
  })
}
