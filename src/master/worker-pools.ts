import type { Config } from '../config/config.ts'
import type { LiveConfig } from '../config/live.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { Sampled } from '../monitor/sampler.ts'
import { workerLimits } from './worker-limits.ts'
import { type PoolDeps, type PoolMember, WorkerPool } from './worker-pool.ts'

export interface PoolsDeps extends Omit<PoolDeps, 'limits' | 'stopWaitMs'> {
  readonly config: LiveConfig
}

/** The queues whose tasks our workers run; pull queues are for other machines. */
export function runQueues(config: Config): readonly QueueSpec[] {
  return config.queues.filter(queue => queue.mode !== 'pull')
}

/** All workers of this node: a pool for each queue whose tasks it runs. */
export class WorkerPools {
  readonly #deps: PoolsDeps
  readonly #pools = new Map<string, WorkerPool>()
  #hurrying = false

  constructor(deps: PoolsDeps) {
    this.#deps = deps
  }

  get byQueue(): ReadonlyMap<string, WorkerPool> {
    return this.#pools
  }

  get members(): readonly PoolMember[] {
    return [...this.#pools.values()].flatMap(pool => pool.members)
  }

  /** How many runs are in progress. */
  get running(): number {
    return this.members.reduce((sum, member) => sum + member.runs.size, 0)
  }

  /** The workers with all that their runs have started, to be measured. */
  get sampled(): readonly Sampled[] {
    return this.members.flatMap(member => {
      const worker = member.process
      if (!worker) return []
      return {
        pid: worker.pid,
        // Those that are no process of their own count as the worker's.
        groups: [...member.runs.values()].flatMap(run => (run.pid === 0 ? [] : run.pid)),
        report: usage => {
          member.usage = usage
          worker.post({ type: 'usage', ...usage })
        },
      } satisfies Sampled
    })
  }

  start(): void {
    for (const queue of runQueues(this.#deps.config.current))
      if (!this.#pools.has(queue.taskKey)) this.#add(queue)
    for (const pool of this.#pools.values()) pool.start()
  }

  /** Resolves when all workers have finished what they run, and left. */
  async stop(why: string): Promise<void> {
    await Promise.all([...this.#pools.values()].map(pool => pool.stop(why)))
  }

  /** Runs are ended and given back now, instead of after stop_wait. */
  hurry(): void {
    this.#hurrying = true
    for (const pool of this.#pools.values()) pool.hurry()
  }

  /**
   * Makes the pools as the configuration says; only what changed is touched.
   * @param taking false while the node drains: nothing is started
   */
  reconfigure(taking: boolean): void {
    const queues = runQueues(this.#deps.config.current)
    const wanted = new Set(queues.map(queue => queue.taskKey))
    for (const [taskKey, pool] of this.#pools) {
      if (wanted.has(taskKey)) continue
      this.#pools.delete(taskKey)
      void pool.stop('its queue is no longer configured')
    }
    for (const queue of queues) {
      const pool = this.#pools.get(queue.taskKey)
      if (pool) pool.reconfigure(queue, taking)
      else if (taking) this.#add(queue).start()
      else this.#add(queue)
    }
  }

  cancel(id: string, reason: string): void {
    for (const pool of this.#pools.values()) pool.cancel(id, reason)
  }

  /** Every worker checks that its tasks are still its own. */
  confirm(): void {
    for (const { process } of this.members) process?.post({ type: 'confirm' })
  }

  /** See WorkerPool: to be called with each heartbeat. */
  endSilent(): void {
    for (const pool of this.#pools.values()) pool.endSilent()
  }

  #add(queue: QueueSpec): WorkerPool {
    const { config } = this.#deps
    const pool = new WorkerPool(queue, {
      ...this.#deps,
      limits: () => workerLimits(config.current.settings),
      stopWaitMs: () => (this.#hurrying ? 0 : config.current.settings.stopWaitMs),
    })
    this.#pools.set(queue.taskKey, pool)
    return pool
  }
}
