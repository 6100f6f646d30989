import { TaskdError } from '../lib/errors.ts'
import type { Sampled } from '../monitor/sampler.ts'
import { insist } from '../queue/insist.ts'
import { giveOrder } from '../queue/orders.ts'
import { claimNode } from './installation.ts'
import { RunOutputs } from './run-outputs.ts'
import { type EngineDeps, RunningEngine } from './running-engine.ts'
import type { PoolMember, WorkerPool } from './worker-pool.ts'

/** Its name on this Redis is known only when Redis has answered: until then nothing moves. */
type State =
  | { readonly name: 'waiting' }
  | { readonly name: 'running'; readonly engine: RunningEngine }

const NO_POOLS: ReadonlyMap<string, WorkerPool> = new Map()

/** What moves tasks on this node. It is there from the start, and waits until Redis answers. */
export class Engine {
  readonly outputs: RunOutputs
  readonly #deps: EngineDeps
  #state: State = { name: 'waiting' }

  constructor(deps: EngineDeps) {
    this.#deps = deps
    this.outputs = new RunOutputs(() => this.members, deps.events)
  }

  get #running(): RunningEngine | undefined {
    return this.#state.name === 'running' ? this.#state.engine : undefined
  }

  get isWaiting(): boolean {
    return this.#state.name === 'waiting'
  }

  /** The name that is configured, until it is known whether that is free. */
  get node(): string {
    return this.#running?.node ?? this.#deps.nodeName
  }

  get pools(): ReadonlyMap<string, WorkerPool> {
    return this.#running?.pools.byQueue ?? NO_POOLS
  }

  /** All workers of this node. */
  get members(): readonly PoolMember[] {
    return this.#running?.pools.members ?? []
  }

  /** How many runs are in progress. */
  get runs(): number {
    return this.#running?.pools.running ?? 0
  }

  get sampled(): readonly Sampled[] {
    return this.#running?.pools.sampled ?? []
  }

  member(workerId: string): PoolMember | undefined {
    return this.members.find(one => one.program.name === workerId)
  }

  /** All nodes on this Redis, as far as this one knows them. */
  get nodes(): RunningEngine['nodes']['statuses'] {
    return this.#running?.nodes.statuses ?? []
  }

  /** When a job is next due, wall time in ms. */
  nextOf(job: string): number | undefined {
    return this.#running?.ticker.nextOf(job)
  }

  /** Pids of workers of this name that an earlier daemon left. */
  predecessorsOf(workerId: string): readonly number[] {
    return this.#running?.predecessorsOf(workerId) ?? []
  }

  /** @throws TaskdError E_REDIS_AWAY while it waits */
  require(): RunningEngine {
    if (this.#running) return this.#running
    throw new TaskdError('E_REDIS_AWAY', 'taskd has just started and waits for Redis')
  }

  /** Takes a name that is free. Redis answers, but may take no write for now. */
  async #claim(signal: AbortSignal): Promise<void> {
    const { redis, instance, log, nodeName: wanted } = this.#deps
    const node = await insist(() => claimNode(redis, wanted, instance), signal)
    if (node !== wanted)
      log.warn(
        { node },
        `node ${wanted} is another daemon on this Redis; this one takes a name of its own`,
      )
    const engine = new RunningEngine({ ...this.#deps, node, outputs: this.outputs })
    this.#state = { name: 'running', engine }
  }

  /** Once Redis answers: first what an earlier daemon left, then new work. @param signal ends the wait */
  async start(signal: AbortSignal): Promise<void> {
    await this.#claim(signal)
    if (!signal.aborted) await this.require().start()
  }

  async stop(): Promise<void> {
    await this.#running?.stop()
    this.outputs.close()
  }

  /** Runs are ended and given back now, instead of after stop_wait. */
  hurry(): void {
    this.#running?.pools.hurry()
  }

  /** Makes the node as the new configuration says; only what changed is touched. */
  async reconfigure(): Promise<void> {
    await this.#running?.reconfigure()
  }

  /** Takes over which jobs there are. */
  setJobs(): void {
    this.#running?.setJobs()
  }

  /** Tells every node to end a run, whichever has it. */
  async orderCancel(id: string, reason: string): Promise<void> {
    await giveOrder(this.#deps.redis, { order: 'cancel', id, reason })
  }

  /** Tells the schedule of every node that a job's cursor was set. */
  async orderReread(job: string): Promise<void> {
    this.#running?.ticker.reread(job)
    await giveOrder(this.#deps.redis, { order: 'reread', job })
  }
}
