import type { Redis } from 'ioredis'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import { type Service, stopWithin } from '../lib/service.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import { addsAnyway } from '../queue/bullmq.ts'
import { createClient } from '../queue/connection.ts'
import { Intake } from '../queue/intake.ts'
import { engineSink, type IntakeSink, pullSink } from '../queue/intake-sink.ts'
import type { PullFeed } from '../queue/pull-feed.ts'
import { type Scripts, withScripts } from '../queue/scripts.ts'
import { TaskQueues } from '../queue/task-queues.ts'

export interface IntakesDeps {
  readonly node: string
  readonly redisUrl: string
  readonly redis: Redis & Scripts
  readonly queues: TaskQueues
  /** How long a task that has ended is remembered. */
  readonly keepMs: () => number
  readonly pull: PullFeed
  /** Whether Redis has no memory to spare. */
  readonly isFull: () => boolean
  /** The names of all queues. */
  readonly taskKeys: () => readonly string[]
  /** How many workers the queue has on this node, now. */
  readonly workers: (taskKey: string) => number
  readonly clock: Clock
  readonly log: Logger
}

interface Running extends Service {
  noteLeftovers(): void
}

/** One intake for each queue: a plain list has the queue's name, whoever takes its tasks then. */
export class Intakes {
  readonly #deps: IntakesDeps
  readonly #running = new Map<string, Running>()
  /** One change at a time: two would start an intake that nobody stops. */
  #changing: Promise<void> = Promise.resolve()
  /** Made when Redis is full for the first time. */
  #anyway: { readonly client: Redis; readonly queues: TaskQueues } | undefined

  constructor(deps: IntakesDeps) {
    this.#deps = deps
  }

  /**
   * Takes in for exactly these queues, as they are configured now.
   * @param limitMs for each that stops; one that hangs on Redis ends when it gets its answer, and
   *   takes nothing more
   */
  take(specs: readonly QueueSpec[], limitMs: number): Promise<void> {
    return this.#change(async () => {
      await this.#stopAll(limitMs)
      for (const spec of specs) {
        const intake = this.#make(spec)
        this.#running.set(spec.taskKey, intake)
        await intake.start()
      }
    })
  }

  /** Something was put into private lists from elsewhere. */
  noteLeftovers(): void {
    for (const intake of this.#running.values()) intake.noteLeftovers()
  }

  /** @param limitMs for each; while Redis is away one may hang on it */
  stop(limitMs: number): Promise<void> {
    return this.#change(async () => {
      await this.#stopAll(limitMs)
      this.#anyway?.client.disconnect()
      this.#anyway = undefined
    })
  }

  #change(work: () => Promise<void>): Promise<void> {
    const change = this.#changing.then(work)
    this.#changing = change.catch(() => undefined)
    return change
  }

  async #stopAll(limitMs: number): Promise<void> {
    const all = [...this.#running.values()]
    this.#running.clear()
    await Promise.all(all.map(intake => stopWithin(limitMs, intake, this.#deps.log)))
  }

  /** See addsAnyway in queue/bullmq.ts. */
  #queuesAnyway(): TaskQueues {
    const { redisUrl, clock, node, keepMs } = this.#deps
    if (this.#anyway === undefined) {
      const client = addsAnyway(createClient(redisUrl, 'work', `${node} intake when full`))
      this.#anyway = { client, queues: new TaskQueues(client, () => clock.now(), keepMs) }
    }
    return this.#anyway.queues
  }

  #make(spec: QueueSpec): Running {
    const { queues, pull, taskKeys, clock } = this.#deps
    if (spec.mode === 'pull') return this.#intake(spec, pullSink(spec, pull))
    return this.#intake(
      spec,
      engineSink(
        spec,
        () => clock.now(),
        queues,
        () => this.#queuesAnyway(),
        taskKeys,
      ),
    )
  }

  #intake<T>(spec: QueueSpec, sink: IntakeSink<T>): Running {
    const { redis, redisUrl, clock, log, node, workers, isFull } = this.#deps
    const name = `${node} intake ${spec.taskKey}`
    const connect = () => withScripts(createClient(redisUrl, 'work', name))
    const leaves = () => spec.mode === 'sync' && workers(spec.taskKey) === 0
    return new Intake(spec, { connect, redis, sink, clock, log, node, leaves, isFull })
  }
}
