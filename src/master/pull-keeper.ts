import type { LiveConfig } from '../config/live.ts'
import { deadRowOf } from '../failures/dead-row.ts'
import { recordFailure } from '../failures/record.ts'
import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { Loop } from '../lib/loop.ts'
import type { Service } from '../lib/service.ts'
import type { Events } from '../model/events.ts'
import type { DeadTask } from '../model/pull.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import { type FailFast, isAway } from '../queue/connection.ts'
import { recordVerdict } from '../queue/cron-store.ts'
import { jobOfTask } from './pull-jobs.ts'
import type { PullQueues } from './pull-queues.ts'

export interface PullKeeperDeps {
  readonly config: LiveConfig
  readonly pullQueues: PullQueues
  readonly redis: FailFast
  readonly clock: Clock
  readonly log: Pick<Logger, 'warn' | 'debug'>
  /** The outbox has got something. */
  readonly onRecorded: () => void
  readonly events: Events
}

/** How often leases are looked at: a tenth of their length, within these. */
const OFTEN_MS = 1000
const SELDOM_MS = 10_000

/**
 * Ends leases that are over, and hands dead tasks on to fail_log. Every node does it: of two that
 * end one lease only one has done it, and a death that two hand on is one row.
 */
export class PullKeeper implements Service {
  readonly name = 'pull queues'
  readonly #deps: PullKeeperDeps
  /** Failures that have been logged and have not succeeded since. */
  readonly #failing = new Set<string>()
  readonly #loop: Loop

  constructor(deps: PullKeeperDeps) {
    this.#deps = deps
    this.#loop = new Loop({ clock: deps.clock, round: () => this.#keepAll() })
  }

  start(): Promise<void> {
    this.#loop.start()
    return Promise.resolve()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /** Something has died, or the configuration has changed: looks at once. */
  nudge(): void {
    this.#loop.nudge()
  }

  /** Records the verdict for the jobs whose tasks agents have finished. Nothing waits for it. */
  noteFinished(taskKey: string, ids: readonly string[]): void {
    const { config, redis, clock, log } = this.#deps
    const jobs = config.current.jobs.filter(job => job.task.taskKey === taskKey)
    if (jobs.length === 0) return
    for (const id of ids) {
      const job = jobOfTask(id, jobs)
      if (job === undefined) continue
      const verdict = { id, code: 'succ', succeeded: true, at: clock.now() }
      recordVerdict(redis, job.name, verdict).catch((error: unknown) =>
        log.debug({ job: job.name, error: messageOf(error) }, 'a verdict was not noted'),
      )
    }
  }

  /** @returns when to look again, ms */
  async #keepAll(): Promise<number> {
    const { pullQueues, log } = this.#deps
    const { specs } = pullQueues
    // The health check reports outages, and waiting loses nothing.
    for (const spec of specs)
      await this.#keep(spec).catch((error: unknown) =>
        log.debug(
          { task_key: spec.taskKey, error: messageOf(error), errcode: '000' },
          'leases wait for Redis',
        ),
      )
    return pauseOf(specs)
  }

  async #keep(spec: QueueSpec): Promise<void> {
    const { pullQueues, log } = this.#deps
    const queue = pullQueues.of(spec)
    const { requeued, dead } = await this.#told(spec, '003 005', () => queue.expire())
    if (requeued + dead > 0)
      log.warn(
        { task_key: spec.taskKey, requeued, dead },
        'claimed tasks were not reported in time; their leases are over',
      )
    await this.#told(spec, '002 004', () =>
      queue.handOverDead(deaths => this.#bury(spec.taskKey, deaths)),
    )
  }

  /** @param errcode the numbers that the older scheduler had for this failure (docs/http.md) */
  async #told<T>({ taskKey }: QueueSpec, errcode: string, act: () => Promise<T>): Promise<T> {
    const key = `${taskKey} ${errcode}`
    try {
      const done = await act()
      this.#failing.delete(key)
      return done
    } catch (error) {
      // Tried again each second; the health check reports that Redis is away.
      if (!isAway(error) && !this.#failing.has(key)) {
        const what = { task_key: taskKey, error: messageOf(error), errcode }
        this.#deps.log.warn(what, 'a pull queue cannot be tidied up; it is tried again')
        this.#failing.add(key)
      }
      throw error
    }
  }

  async #bury(taskKey: string, deaths: readonly DeadTask[]): Promise<void> {
    const { redis, log, config, clock, onRecorded, events } = this.#deps
    const { jobs } = config.current
    for (const death of deaths) {
      const job = jobOfTask(death.id, jobs)
      await recordFailure(redis, deadRowOf(taskKey, death, job?.name ?? ''))
      if (job)
        await recordVerdict(redis, job.name, {
          id: death.id,
          code: 'fail',
          succeeded: false,
          at: clock.now(),
        })
      const { id, attempt, worker, why, msg } = death
      log.warn({ task_key: taskKey, task: id, attempt, worker, why }, 'a task is dead')
      const run = { taskId: id, taskKey, workerId: worker, job: job?.name ?? '', attempt }
      events.emit({ type: 'died', ...run, msg })
    }
    onRecorded()
  }
}

function pauseOf(specs: readonly QueueSpec[]): number {
  const shortest = Math.min(...specs.map(spec => spec.leaseMs / 10))
  return Math.min(SELDOM_MS, Math.max(OFTEN_MS, shortest))
}
