import type {
  PullClaim,
  PullPort,
  PullReported,
  PullReports,
  PullStanding,
} from '../api/pull-port.ts'
import { TaskdError } from '../lib/errors.ts'
import type { PullTask, Pushed, ReportAnswer } from '../model/pull.ts'
import { asked } from './asked.ts'
import type { PullQueues } from './pull-queues.ts'

export interface PullControlDeps {
  readonly pullQueues: PullQueues
  /** Whether somebody has paused the queue. */
  readonly isPaused: (taskKey: string) => Promise<boolean>
  /** Called with tasks that were reported as finished and counted. */
  readonly onFinished: (taskKey: string, ids: readonly string[]) => void
  /** There are tasks that have died just now. */
  readonly onDead: () => void
  /** Whether Redis has not answered yet since the start: claims whose answer nobody gets would be lost. */
  readonly isWaiting: () => boolean
  /** Monotonic, ms. */
  readonly now: () => number
}

/** A thousand agents ask for tasks every few seconds; the pause is not looked up for each. */
const PAUSE_KNOWN_MS = 1000

/** Pull queues as the API sees them. Calls that need Redis say so when it is away. */
export class PullControl implements PullPort {
  readonly #deps: PullControlDeps
  readonly #pauses = new Map<string, { readonly at: number; readonly paused: boolean }>()

  constructor(deps: PullControlDeps) {
    this.#deps = deps
  }

  get names(): readonly string[] {
    return this.#deps.pullQueues.specs.map(spec => spec.taskKey)
  }

  push(
    taskKey: string,
    tasks: readonly PullTask[],
    options: { readonly promote: boolean },
  ): Promise<Pushed> {
    const queue = this.#deps.pullQueues.get(taskKey)
    return asked(() => queue.push(tasks, options))
  }

  async claim(taskKey: string, count: number, worker: string, claimId = ''): Promise<PullClaim> {
    const { pullQueues } = this.#deps
    const { leaseMs } = pullQueues.spec(taskKey)
    const queue = pullQueues.get(taskKey)
    if (this.#deps.isWaiting())
      throw new TaskdError('E_REDIS_AWAY', 'taskd has just started and waits for Redis')
    return asked(async () => {
      // The tasks of an earlier answer were claimed before the pause.
      const most = (await this.#isPaused(taskKey)) ? 0 : count
      return { tasks: await queue.claim(most, worker, claimId), leaseMs }
    })
  }

  async report(taskKey: string, reports: PullReports): Promise<PullReported> {
    const { pullQueues, onFinished, onDead } = this.#deps
    const queue = pullQueues.get(taskKey)
    return asked(async () => {
      const { finish, failed } = await queue.report(reports)
      const returned = await queue.giveBack(reports.returned)
      const finished = idsWith(finish, 'finished')
      if (finished.length > 0) onFinished(taskKey, finished)
      if (idsWith(failed, 'dead').length > 0) onDead()
      return { finish, failed, returned }
    })
  }

  async counts(taskKey: string): Promise<PullStanding> {
    const { pullQueues, isPaused } = this.#deps
    const { capacity } = pullQueues.spec(taskKey)
    const queue = pullQueues.get(taskKey)
    return asked(async () => {
      const [counts, paused] = await Promise.all([queue.counts(), isPaused(taskKey)])
      return { ...counts, capacity, paused }
    })
  }

  async #isPaused(taskKey: string): Promise<boolean> {
    const { now, isPaused } = this.#deps
    const known = this.#pauses.get(taskKey)
    if (known && now() - known.at < PAUSE_KNOWN_MS) return known.paused
    const paused = await isPaused(taskKey)
    this.#pauses.set(taskKey, { at: now(), paused })
    return paused
  }
}

function idsWith(answers: readonly ReportAnswer[], word: ReportAnswer['answer']): string[] {
  return answers.filter(one => one.answer === word).map(one => one.id)
}
