import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { newDaemon, redisClient } from '../support/daemon.ts'
import { type SqlServer, startMariaDb, startRedis, type TestServer } from '../support/servers.ts'
import { tempDir } from '../support/temp-dir.ts'
import { type NodeOfWorld, nodeOf, ownDisk } from './node.ts'
import { startProxy } from './proxy.ts'
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
  readonly redisServer: TestServer
  readonly databaseServer: SqlServer
  readonly nodes: readonly NodeOfWorld[]
  /** Straight to Redis; it waits through outages. */
  readonly redis: Redis
  /** Straight to the database. */
  readonly tables: TestTables
  /** Writes cron.ini of all nodes, with or without its jobs. */
  configure(ticking: boolean): void
  node(name: string): NodeOfWorld
  /** Daemons that ended though nobody ended them, in words. */
  readonly deaths: readonly string[]
}

/**
 * Redis keeps each write before it answers (a KILL loses nothing that was in the kernel), and never
 * waits for the disk: so whatever runs twice is no fault of Redis.
 */
const REDIS_ARGS = [
  '--appendonly',
  'yes',
  '--appendfsync',
  'no',
  '--auto-aof-rewrite-percentage',
  '0',
]

export async function startWorld(): Promise<World> {
  const made = new Made()
  try {
    return await makeWorld(made)
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

async function makeWorld(made: Made): Promise<World> {
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

  const [redisServer, databaseServer] = await Promise.all([
    startRedis({ args: REDIS_ARGS }).then(server => made.use(server)),
    startMariaDb().then(server => made.use(server)),
  ])
  const tables = made.use(await openTables(databaseServer))
  const redis = made.use(redisClient(redisServer.path))

  const nodes: NodeOfWorld[] = []
  const deaths: string[] = []
  const died = (text: string) => void deaths.push(text)
  for (const name of NODES) {
    const proxy = async (to: string, path: string) =>
      made.use(await startProxy(join(dir, 'proxies', `${name}-${to}`), path))
    const toRedis = await proxy('redis', redisServer.path)
    const toDatabase = await proxy('sql', databaseServer.path)
    const disk = name === DISK_NODE ? ownDisk() : undefined
    if (disk) made.use(disk)
    const daemon = newDaemon(disk ? { dataDir: join(disk.path, 'data') } : {})
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
    redisServer,
    databaseServer,
    nodes,
    redis,
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
