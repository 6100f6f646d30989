import type { Redis } from 'ioredis'
import type { LiveConfig } from '../config/live.ts'
import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { bootId, startTimeOf } from '../lib/proc.ts'
import { stopWithin } from '../lib/service.ts'
import type { Events } from '../model/events.ts'
import type { Job } from '../model/job.ts'
import { markStopped } from '../monitor/hashes.ts'
import type { RedisHealthStatus } from '../monitor/redis-health.ts'
import { adoptFromDead } from '../queue/adopt.ts'
import { abandon, answers } from '../queue/answers.ts'
import { CronStore } from '../queue/cron-store.ts'
import { HEARTBEAT_MS } from '../queue/keys.ts'
import { Orders } from '../queue/orders.ts'
import { PullFeed } from '../queue/pull-feed.ts'
import type { Scripts } from '../queue/scripts.ts'
import { TaskQueues } from '../queue/task-queues.ts'
import { Ticker } from '../schedule/ticker.ts'
import type { Wanted } from '../supervise/wanted.ts'
import type { DataMark } from './data-mark.ts'
import { releaseNode, renewNode } from './installation.ts'
import { Intakes } from './intakes.ts'
import { RoomMaker } from './make-room.ts'
import { Nodes } from './nodes.ts'
import { Recovery } from './recovery.ts'
import type { RunOutputs } from './run-outputs.ts'
import { tickQueue } from './tick-queue.ts'
import { workerLimits } from './worker-limits.ts'
import type { PoolDeps } from './worker-pool.ts'
import { runQueues, WorkerPools } from './worker-pools.ts'

export interface RunningEngineDeps extends EngineDeps {
  readonly node: string
  readonly outputs: RunOutputs
}

export interface EngineDeps {
  readonly config: LiveConfig
  /** As it was configured at the start. */
  readonly nodeName: string
  readonly instance: string
  readonly redisUrl: string
  readonly redis: Redis & Scripts
  readonly health: () => RedisHealthStatus
  readonly dataMark: Pick<DataMark, 'guard' | 'noteChange'>
  readonly clock: Clock
  readonly events: Events
  readonly log: Logger
  readonly wanted: Wanted
  readonly cancel: (taskKey: string, id: string, reason: string) => Promise<unknown>
  readonly openRow: PoolDeps['openRow']
  /** Of cron.ini and of SQL. */
  readonly jobs: () => readonly Job[]
  /** Somebody says that jobs in SQL have changed. */
  readonly onJobsChannel: () => void
}

/** What a part may take to stop that has nothing to wait for but Redis. */
const STOP_LIMIT_MS = 2000
const ANSWER_MS = 1000
/**
 * The wait after /proc could not be read for want of descriptors: nobody else would take care of
 * the dead worker.
 */
const RECOVER_AGAIN_MS = 1000

const DOWN: ReadonlySet<string> = new Set(['STOPPED', 'BACKOFF', 'FATAL'])

/** Ticker and intake bring tasks in, the pools run them. */
export class RunningEngine {
  readonly node: string
  readonly queues: TaskQueues
  readonly cron: CronStore
  readonly ticker: Ticker
  readonly pools: WorkerPools
  readonly nodes: Nodes
  readonly #deps: RunningEngineDeps
  readonly #recovery: Recovery
  readonly #intakes: Intakes
  readonly #orders: Orders
  readonly #room: RoomMaker
  #unsubscribe: (() => void) | undefined
  #lease: NodeJS.Timeout | undefined
  #taking = false
  #over = false

  constructor(deps: RunningEngineDeps) {
    this.#deps = deps
    this.node = deps.node
    const keepMs = () => deps.config.current.settings.resultKeepTimeMs
    this.queues = new TaskQueues(deps.redis, () => deps.clock.now(), keepMs)
    this.cron = new CronStore(deps.redis)
    const pull = new PullFeed(deps.redis, () => deps.clock.now())
    const taskKeys = () => deps.config.current.queues.map(queue => queue.taskKey)
    const workers = (taskKey: string) => this.pools.byQueue.get(taskKey)?.members.length ?? 0
    const isFull = () => deps.health().full
    const shared = { ...deps, queues: this.queues, taskKeys }
    this.#intakes = new Intakes({ ...shared, keepMs, pull, workers, isFull })
    this.#room = new RoomMaker({
      ...shared,
      taskKeys: () => runQueues(deps.config.current).map(queue => queue.taskKey),
    })
    this.#orders = new Orders(deps.redisUrl, `${deps.node} orders`, {
      onCancel: (id, reason) => this.pools.cancel(id, reason),
      onReread: job => this.ticker.reread(job),
      onPauses: () => deps.dataMark.noteChange(),
      onJobs: deps.onJobsChannel,
    })
    this.#recovery = new Recovery({
      redis: deps.redis,
      instance: deps.instance,
      node: deps.node,
      taskKeys: () => runQueues(deps.config.current).map(queue => queue.taskKey),
      isGone: (owner, taskKey) => this.nodes.isGone(owner, taskKey),
      settings: () => workerLimits(deps.config.current.settings),
      clock: deps.clock,
      events: deps.events,
      log: deps.log,
    })
    this.nodes = new Nodes({
      ...deps,
      settings: () => deps.config.current.settings,
      takeOver: () => this.#recovery.takeOver(),
      onDoubted: () => this.pools.confirm(),
    })
    this.pools = new WorkerPools({
      ...deps,
      random: Math.random,
      predecessorsOf: workerId => this.#recovery.predecessorsOf(workerId),
      onExit: () => this.#recover(),
    })
    this.ticker = new Ticker(deps.jobs(), {
      store: deps.dataMark.guard(this.cron, deps.redis),
      queue: tickQueue({ ...deps, queues: this.queues, pull }),
      clock: deps.clock,
      events: deps.events,
      log: deps.log,
      node: deps.node,
      boot: bootOf(),
      random: Math.random,
    })
  }

  predecessorsOf(workerId: string): readonly number[] {
    return this.#recovery.predecessorsOf(workerId)
  }

  /** First what an earlier daemon left, then new work. */
  async start(): Promise<void> {
    const { log } = this.#deps
    this.#lease = setInterval(() => {
      this.#beat().catch((error: unknown) => log.debug({ error: messageOf(error) }, 'heartbeat'))
    }, HEARTBEAT_MS)
    // A dead worker that is not back yet cannot update its own row.
    this.#unsubscribe = this.#deps.events.subscribe(event => {
      if (event.type === 'program' && DOWN.has(event.state.name)) this.#markDown(event.name)
    })
    await this.#orders.start()
    await this.nodes.start()
    await this.#room.start()
    await this.#recovery.start()
    // Recovery waits while Redis is away, and the daemon may have been told to stop meanwhile.
    if (this.#over) return
    await this.take()
  }

  async #beat(): Promise<void> {
    const { redis, instance, log, config } = this.#deps
    this.pools.endSilent()
    this.#orders.beat()
    if (!(await renewNode(redis, this.node, instance)))
      log.error({ node: this.node }, 'another daemon uses this node name by now; restart this one')
    const taskKeys = config.current.queues.map(queue => queue.taskKey)
    const adopted = await adoptFromDead(redis, this.node, taskKeys, name =>
      this.nodes.nameIsGone(name),
    )
    if (adopted === 0) return
    log.warn({ messages: adopted }, 'took over messages that a node which is gone had taken')
    this.#intakes.noteLeftovers()
  }

  #recover(): void {
    if (this.#over) return
    const { log, clock } = this.#deps
    this.#recovery.recover().catch((error: unknown) => {
      log.error({ error: messageOf(error) }, 'recovery failed; it is tried again in a second')
      clock.setTimer(RECOVER_AGAIN_MS, () => this.#recover())
    })
  }

  /** Begins to bring in tasks, from the lists and from the schedule. */
  async take(): Promise<void> {
    this.#taking = true
    this.pools.start()
    await this.#intakes.take(this.#deps.config.current.queues, STOP_LIMIT_MS)
    await this.ticker.start()
  }

  /** Brings in nothing more, and lets the workers finish; resolves when they have. */
  async drain(why: string): Promise<void> {
    this.#taking = false
    // While Redis is away these may hang on it; the workers must still be told to leave.
    const ticker = stopWithin(STOP_LIMIT_MS, this.ticker, this.#deps.log)
    const pools = this.pools.stop(why)
    await Promise.all([ticker, this.#intakes.stop(STOP_LIMIT_MS), pools])
  }

  async stop(): Promise<void> {
    this.#over = true
    await this.drain('taskd stops')
    clearInterval(this.#lease)
    this.#unsubscribe?.()
    this.#orders.stop()
    const { redis, log } = this.#deps
    // While Redis is away, each part would use up its whole time limit waiting for it.
    const reached = await answers(redis, ANSWER_MS)
    if (!reached) {
      log.warn('Redis does not answer: exiting without contacting it; its rows expire')
      abandon(redis)
    }
    const name = {
      name: 'node name',
      stop: async () => {
        await releaseNode(redis, this.node)
        await this.nodes.stop()
        await this.nodes.leave()
      },
    }
    const queues = { name: 'queues', stop: () => this.queues.close() }
    const rest = [this.#recovery, this.#room, queues, this.nodes, ...(reached ? [name] : [])]
    await Promise.all(rest.map(part => stopWithin(STOP_LIMIT_MS, part, log)))
  }

  /** Makes the node as the new configuration says; only what changed is touched. */
  async reconfigure(): Promise<void> {
    this.pools.reconfigure(this.#taking)
    if (this.#taking) await this.#intakes.take(this.#deps.config.current.queues, STOP_LIMIT_MS)
    this.setJobs()
  }

  /** Takes over which jobs there are. */
  setJobs(): void {
    this.ticker.setJobs(this.#deps.jobs())
  }

  #markDown(name: string): void {
    const member = this.pools.members.find(one => one.program.name === name)
    if (!member) return
    const mode = member.spec.mode === 'sync' ? 'sync' : 'async'
    markStopped(this.#deps.redis, mode, name).catch(() => undefined)
  }
}

/** One boot of the machine; in a container, one life of its first process. */
function bootOf(): string {
  return `${bootId().slice(0, 8)}-${startTimeOf(1) ?? 0}`
}
