import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { newDaemon, redisClient } from '../support/daemon.ts'
import { type SqlServer, startMariaDb, type TestServer } from '../support/servers.ts'
import { CAN_SET_CLOCK, type SettableClock, settableClock } from '../support/settable-clock.ts'
import { tempDir } from '../support/temp-dir.ts'
import { type NodeOfWorld, nodeOf, ownDisk } from './node.ts'
import { startProxy } from './proxy.ts'
import { startRedisPair } from './redis-pair.ts'
import { KEEPER, LEDGER_FUNCTION, LEDGER_SCRIPT } from './scripts.ts'
import { openTables, type TestTables } from './tables.ts'

export const NODES = ['ann', 'bob', 'cid'] as const
/** The node that alone has a worker for `order`, so that the order of that queue is one. */
export const ORDER_NODE = 'ann'
/** The node whose data folder is on a small disk. */
export const DISK_NODE = 'cid'

/** One Redis and one MariaDB, each node's way to them, and the nodes. */
export interface World extends AsyncDisposable {
  /** Ledger, locks and scripts. */
  readonly dir: string
  readonly script: string
  /** The one that is the master now. */
  readonly redisServer: TestServer
  /** Both of them. */
  readonly redisServers: readonly TestServer[]
  readonly databaseServer: SqlServer
  readonly nodes: readonly NodeOfWorld[]
  /** To Redis, by no way of a node; it waits through outages. */
  readonly redis: Redis
  /** Makes the replica the master. @returns false when this Redis knows no such command */
  failOver(): Promise<boolean>
  /** Leads all clients to the server that is the master now. */
  followMaster(): void
  /** The clock of all nodes; undefined where it cannot be set, or was not asked for. */
  readonly clock: SettableClock | undefined
  /** Straight to the database. */
  readonly tables: TestTables
  /** Writes cron.ini of all nodes, with or without its jobs. */
  configure(ticking: boolean): void
  node(name: string): NodeOfWorld
  /** Daemons that ended though nobody ended them, in words. */
  readonly deaths: readonly string[]
}

/** @param clockSteps whether the clock of the nodes is to be set, which makes each look at it dear */
export async function startWorld(clockSteps = false): Promise<World> {
  const made = new Made()
  try {
    return await makeWorld(made, clockSteps && CAN_SET_CLOCK)
  } catch (error) {
    await made.remove()
    throw error
  }
}

/** What was made, to be taken away in the opposite order. */
class Made {
  readonly #all: AsyncDisposable[] = []

  use<T extends Partial<AsyncDisposable & Disposable>>(one: T): T {
    this.#all.unshift({
      async [Symbol.asyncDispose]() {
        await one[Symbol.asyncDispose]?.()
        one[Symbol.dispose]?.()
      },
    })
    return one
  }

  async remove(): Promise<void> {
    for (const one of this.#all.splice(0)) await one[Symbol.asyncDispose]()
  }
}

async function makeWorld(made: Made, clockSteps: boolean): Promise<World> {
  const dir = made.use(tempDir('taskd-nem-')).path
  mkdirSync(join(dir, 'locks'))
  mkdirSync(join(dir, 'tasks', 'interval'), { recursive: true })
  mkdirSync(join(dir, 'proxies'))
  const write = (name: string, text: string) => {
    writeFileSync(join(dir, name), text)
    chmodSync(join(dir, name), 0o755)
    return join(dir, name)
  }
  const script = write('ledger.pl', LEDGER_SCRIPT)
  const keeper = write('keeper.pl', KEEPER)
  write('tasks/interval/beat.py', LEDGER_FUNCTION)

  const [redisPair, databaseServer, clock] = await Promise.all([
    startRedisPair().then(pair => made.use(pair)),
    startMariaDb().then(server => made.use(server)),
    clockSteps ? settableClock().then(one => made.use(one)) : undefined,
  ])
  const tables = made.use(await openTables(databaseServer))
  const proxy = async (name: string, path: string) =>
    made.use(await startProxy(join(dir, 'proxies', name), path))
  const ownWay = await proxy('redis', redisPair.master.path)
  const redis = made.use(redisClient(ownWay.path))

  const nodes: NodeOfWorld[] = []
  const deaths: string[] = []
  const died = (text: string) => void deaths.push(text)
  for (const name of NODES) {
    const toRedis = await proxy(`${name}-redis`, redisPair.master.path)
    const toDatabase = await proxy(`${name}-sql`, databaseServer.path)
    const disk = name === DISK_NODE ? ownDisk() : undefined
    if (disk) made.use(disk)
    const daemon = newDaemon({
      ...(disk && { dataDir: join(disk.path, 'data') }),
      ...(clock && { env: clock.env }),
    })
    nodes.push(made.use(nodeOf({ name, daemon, toRedis, toDatabase, disk }, died)))
  }
  const configure = (ticking: boolean) => {
    for (const node of nodes)
      node.daemon.configure(configOf(node, { dir, script, keeper, ticking }))
  }
  configure(true)
  return {
    dir,
    script,
    get redisServer() {
      return redisPair.master
    },
    redisServers: redisPair.servers,
    databaseServer,
    nodes,
    redis,
    failOver: () => redisPair.failOver(),
    followMaster() {
      for (const way of [ownWay, ...nodes.map(node => node.toRedis)])
        way.lead(redisPair.master.path)
    },
    clock,
    tables,
    configure,
    deaths,
    node(name) {
      const found = nodes.find(one => one.name === name)
      if (!found) throw new Error(`no node ${name}`)
      return found
    },
    [Symbol.asyncDispose]: () => made.remove(),
  }
}

interface Places {
  readonly dir: string
  readonly script: string
  readonly keeper: string
  readonly ticking: boolean
}

/** Jobs whose ticks all have to run; `every` in seconds. */
export const JOBS = [
  { name: 'every', every: 1, taskKey: 'async_tasks', how: 'succ', retries: 0, ms: 20 },
  { name: 'third', every: 3, taskKey: 'sync_tasks', how: 'succ', retries: 0, ms: 100 },
  { name: 'flaky', every: 5, taskKey: 'async_tasks', how: 'fail', retries: 1, ms: 20 },
] as const
/** The job that is paused and resumed. */
export const PAUSED_JOB = 'held'

function configOf(node: NodeOfWorld, { dir, script, keeper, ticking }: Places) {
  const database = `mysql://root@localhost/task_schedule?socketPath=${encodeURIComponent(node.toDatabase.path)}`
  const held = {
    name: PAUSED_JOB,
    every: 2,
    taskKey: 'async_tasks',
    how: 'succ',
    retries: 0,
    ms: 20,
  }
  const jobs = [...JOBS, held].map(
    ({ name, every, taskKey, how, retries, ms }) =>
      `[${name}]\ntask_key = ${taskKey}\nrun_time = */${every} * * * * *\nscript = ${script}\n` +
      `controller = ${dir}\nfunction = ${how}\nparam = ${ms}\nenabled = ${ticking}\n` +
      'misfire = all\nmax_backfill = 5000\n' +
      `overlap = ${taskKey === 'sync_tasks' ? 'queue' : 'allow'}\n` +
      (retries > 0 ? `retries = ${retries}\nretry_intervals = 1\n` : ''),
  )
  const ini = [
    '[queue:sync_tasks]\nmode = sync\nworkers = 1\n',
    '[queue:async_tasks]\nmode = async\nworkers = 1\nconcurrency = 8\n',
    `[queue:order]\nmode = sync\nworkers = ${node.name === ORDER_NODE ? 1 : 0}\n`,
    ...jobs,
    `[program:keeper]\ncommand = ${keeper} ${dir} ${node.name}\nstartsecs = 0\nstopwaitsecs = 2\n`,
    `[source:rows]\ndatabase = ${database.replace('task_schedule', 'shop')}\ntable = shop_rows\n` +
      `task_key = async_tasks\nscript = ${script}\ncontroller = ${dir}\nfunction_column = how\n` +
      'param_column = ms\nresult_column = result\npoll = 500ms\n',
  ].join('\n')
  const taskd = {
    node: node.name,
    redis: `unix:${node.toRedis.path}`,
    database,
    tasks: join(dir, 'tasks'),
    kill_wait: '1s',
    stop_wait: '4s',
  }
  return { taskd, ini }
}
