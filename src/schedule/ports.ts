import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { CronState, Pass } from '../model/cron-state.ts'
import type { Events } from '../model/events.ts'
import type { Task } from '../model/task.ts'

/** What is remembered of the jobs; kept in Redis, so that any number of nodes share it. */
export interface TickStore {
  read(job: string): Promise<CronState>
  readMany(jobs: readonly string[]): Promise<CronState[]>
  /**
   * @param era the era of the state that the tick was computed from
   * @param pass the pass in which it comes again, or 0
   */
  advance(job: string, tick: number, taskId: string, era: number, pass: number): Promise<boolean>
  /**
   * Lets ticks up to `to` come again from `from` on.
   * @returns false when another node came first
   */
  beginPass(job: string, seen: Pick<CronState, 'pass' | 'era'>, pass: Pass): Promise<boolean>
  reset(job: string, cursor: number, spec: string): Promise<void>
  setPaused(job: string, why: string): Promise<void>
  bootOf(job: string, node: string): Promise<string>
  setBoot(job: string, node: string, boot: string): Promise<void>
}

/** Where due tasks go. */
export interface TickQueue {
  add(taskKey: string, tasks: readonly Task[]): Promise<void>
  /** True while the task waits, runs, or waits to be retried. */
  isOpen(taskKey: string, id: string): Promise<boolean>
  cancel(taskKey: string, id: string, reason: string): Promise<void>
}

export interface TickerDeps {
  readonly store: TickStore
  readonly queue: TickQueue
  readonly clock: Clock
  readonly events: Events
  readonly log: Logger
  readonly node: string
  /** The id of this boot of the machine (or container). */
  readonly boot: string
  readonly random: () => number
}
