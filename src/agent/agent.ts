import { randomUUID } from 'node:crypto'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import { judge, type RunResult } from '../model/run-result.ts'
import { type Run, startRun } from '../workers/runner.ts'
import type { Spawner } from '../workers/spawn.ts'
import { Hand, type HeldTask, runLimitMs } from './hand.ts'
import type { Journal } from './journal.ts'
import type { Report } from './journal-lines.ts'
import type { ClaimedTask, MasterApi } from './master-api.ts'
import type { AgentOptions } from './options.ts'
import type { Patience } from './patience.ts'
import type { Reporter } from './reporter.ts'
import { environmentOf, toTask } from './task.ts'

export interface AgentDeps {
  readonly options: AgentOptions
  readonly api: MasterApi
  readonly journal: Journal
  readonly reporter: Reporter
  readonly patience: Patience
  readonly spawner: Spawner
  /** The text form of this incarnation, see model/owner.ts. */
  readonly owner: string
  readonly clock: Clock
  readonly log: Logger
}

/** How much of a message goes into a report and the log. */
const MSG_CHARACTERS = 500

interface Running {
  readonly run: Run
  readonly since: number
}

/** A machine that fetches tasks over HTTP, runs them, and says how they ended. */
export class Agent {
  readonly #deps: AgentDeps
  readonly #hand: Hand
  readonly #running = new Map<HeldTask, Running>()
  readonly #draining = new AbortController()
  readonly #hurrying = new AbortController()
  /** Something has ended, or is to be looked at again. */
  #wake = new AbortController()
  #connected = false
  #idle: (() => void) | undefined

  constructor(deps: AgentDeps) {
    this.#deps = deps
    this.#hand = new Hand(deps.options.batch, deps.options.concurrency)
  }

  /**
   * Works until it is drained.
   * @returns why the master refuses this agent, when it does so from the first moment
   */
  async work(): Promise<string | undefined> {
    const { reporter } = this.#deps
    reporter.start()
    const refused = await this.#fetch()
    await this.#settled()
    return refused
  }

  /** Takes no more tasks and gives back those that have not begun; the others may end. */
  drain(): void {
    if (this.#draining.signal.aborted) return
    const { clock, options, log } = this.#deps
    this.#draining.abort()
    this.#giveBack(this.#hand.clear())
    log.info({ running: this.#running.size }, 'draining: no new task is taken')
    clock.setTimer(options.stopWaitMs, () => this.hurry())
  }

  /** Ends what runs, and gives it back. */
  hurry(): void {
    this.#hurrying.abort()
    for (const { run } of this.#running.values()) run.stop('returned', 'the agent stops')
  }

  async #fetch(): Promise<string | undefined> {
    const { api, options, patience, clock, journal } = this.#deps
    const { signal } = this.#draining
    let id = randomUUID()
    /** The most that was asked for under this name. */
    let most = 0
    while (!signal.aborted) {
      this.#wake = new AbortController()
      const now = clock.monotonic()
      const count = this.#hand.wanted([...this.#running.values()].map(one => now - one.since))
      if (count === 0) {
        await clock.sleep(LONG_MS, AbortSignal.any([signal, this.#wake.signal]))
        continue
      }
      // A drain does not break this off: tasks of an unheard answer would come back only when their
      // lease is over.
      most = Math.max(most, count)
      const claim = { count, worker: options.node, id }
      const answer = await api.claim(claim, this.#hurrying.signal)
      if (answer.kind === 'refused' && !this.#connected) return answer.reason
      if (answer.kind !== 'ok') {
        if (signal.aborted) break
        await clock.sleep(patience.afterFailure('claim', answer), signal)
        continue
      }
      // Until here an answer may have been lost; the same name again brings what it had.
      id = randomUUID()
      this.#noteConnected()
      const { leaseMs } = answer.value
      const tasks = this.#noMoreThan(most, answer.value.tasks)
      most = 0
      const waitMs = patience.afterAnswer(tasks.length > 0)
      // On disk before any of them begins: whoever is killed must find them there.
      if (tasks.length > 0) await journal.claimed(tasks)
      this.#hand.add(tasks, leaseMs, now)
      if (signal.aborted) this.#giveBack(this.#hand.clear())
      this.#pump()
      // Fewer than asked for: that was all there was.
      if (tasks.length < count) await clock.sleep(waitMs, signal)
    }
    return undefined
  }

  /** Drops tasks beyond what was asked for; they come back to the queue when their lease is over. */
  #noMoreThan(most: number, tasks: readonly ClaimedTask[]): readonly ClaimedTask[] {
    if (tasks.length > most)
      this.#deps.log.warn(
        { asked: most, got: tasks.length },
        'the master hands out more than was asked for; the rest is left to its lease',
      )
    return tasks.slice(0, most)
  }

  #noteConnected(): void {
    if (this.#connected) return
    this.#connected = true
    const { options, log } = this.#deps
    log.info({ master: options.master.host, queue: options.queue }, 'connected')
  }

  #pump(): void {
    const { clock, options } = this.#deps
    while (this.#running.size < options.concurrency && !this.#draining.signal.aborted) {
      const { task, late } = this.#hand.take(clock.monotonic())
      this.#giveBack(late)
      if (task === undefined) return
      this.#begin(task)
    }
  }

  #begin(held: HeldTask): void {
    const { options, journal, spawner, clock, owner, log } = this.#deps
    const { queue, node, php } = options
    journal.begun(held)
    const task = toTask(held, queue)
    const since = clock.monotonic()
    if (!task.ok) {
      const why = `not a task: ${task.reason}`
      log.warn({ task: held.id, attempt: held.attempt }, `task failed: ${why}`)
      this.#report(held, 'failed', why)
      return
    }
    const wantedMs = task.value.maxRunTimeMs ?? options.maxRunTimeMs
    const { maxRunTimeMs, killMs } = runLimitMs(held, wantedMs, options.killWaitMs, since)
    const run = startRun(
      {
        task: task.value,
        environment: environmentOf(held, queue, node, owner),
        maxRunTimeMs,
        killWaitMs: killMs,
        php,
        onPid: () => undefined,
      },
      spawner,
      clock,
    )
    this.#running.set(held, { run, since })
    void run.ending.then(ended => {
      const durationMs = clock.monotonic() - since
      this.#running.delete(held)
      if (ended.stopped === 'returned') this.#giveBack([held])
      else this.#ended(held, judge(ended), durationMs)
      this.#pump()
      this.#wake.abort()
      if (this.#running.size === 0) this.#idle?.()
    })
  }

  /** To the queue, everything but a success is a failure. */
  #ended(held: HeldTask, result: RunResult, durationMs: number): void {
    const { log } = this.#deps
    this.#hand.ended(durationMs)
    const { outcome, kind, answer, exitCode } = result
    const fields = { task: held.id, attempt: held.attempt, ms: Math.round(durationMs) }
    if (outcome === 'succ') log.info(fields, 'task succeeded')
    else {
      const exit = exitCode === null ? {} : { exit_code: exitCode }
      const why = answer.msg.slice(0, MSG_CHARACTERS)
      log.warn({ ...fields, kind, code: answer.code, ...exit }, `task failed: ${why}`)
    }
    const why = outcome === 'fail' ? answer.msg : `${answer.code}: ${answer.msg}`
    this.#report(held, outcome === 'succ' ? 'finish' : 'failed', outcome === 'succ' ? '' : why)
  }

  #giveBack(tasks: readonly HeldTask[]): void {
    for (const task of tasks) this.#report(task, 'returned', '')
  }

  #report({ id, attempt }: HeldTask, kind: Report['kind'], msg: string): void {
    const { journal, reporter } = this.#deps
    journal.ended({ id, attempt, kind, msg: msg.slice(0, MSG_CHARACTERS) })
    reporter.nudge()
  }

  async #settled(): Promise<void> {
    while (this.#running.size > 0)
      await new Promise<void>(resolve => {
        this.#idle = resolve
      })
  }
}

/** As good as for ever: something else ends this wait. */
const LONG_MS = 3_600_000
