import type { Redis } from 'ioredis'
import type { Clock } from '../lib/clock.ts'
import { stringify } from '../lib/json-text.ts'
import { traceIdOf } from '../model/function-call.ts'
import type { FromWorker, ToWorker, WorkerInit, WorkerLimits } from '../model/ipc.ts'
import {
  cancelledResult,
  judge,
  lostResult,
  MAX_DEATHS,
  type RunResult,
} from '../model/run-result.ts'
import { WorkerHashes } from '../monitor/hashes.ts'
import { type Claim, Consumer, type Settlement } from '../queue/consumer.ts'
import { dayOf } from '../queue/day-counts.ts'
import { Fence } from '../queue/fence.ts'
import { insist } from '../queue/insist.ts'
import { HEARTBEAT_MS } from '../queue/keys.ts'
import { goneSince, NodeSign } from '../queue/node-sign.ts'
import { type EndedRun, RunHistory } from '../queue/run-history.ts'
import type { Scripts } from '../queue/scripts.ts'
import { AbsentFiles, whyAbsent } from './absent-files.ts'
import { Cancels, type Present } from './cancels.ts'
import { environmentOf } from './environment.ts'
import { VerdictKeeper } from './kept-verdicts.ts'
import { Rows } from './rows.ts'
import { NO_EXIT } from './run.ts'
import { RunWatch } from './run-watch.ts'
import { type Run, type Stopped, startRun, verdictOn } from './runner.ts'
import {
  bounded,
  endedMessage,
  endedRunOf,
  NO_LIST,
  Recorder,
  type Reported,
  settlementOf,
  type Verdict,
} from './settle.ts'
import type { Spawner } from './spawn.ts'

export interface WorkerDeps {
  readonly init: WorkerInit
  readonly redis: Redis & Scripts
  /** The text form of this incarnation, see model/owner.ts. */
  readonly owner: string
  readonly clock: Clock
  readonly spawner: Spawner
  /** @param sent called once the message is on its way */
  readonly send: (message: FromWorker, sent?: () => void) => void
}

const CUT_OFF = 'this worker cannot reach Redis'

/** How long the last write to its row may take. */
const NOTE_MS = 1000

/** Takes tasks from one queue, runs them, and says how they ended. */
export class TaskWorker {
  readonly #deps: WorkerDeps
  readonly #hashes: WorkerHashes
  readonly #recorder: Recorder
  readonly #consumer: Consumer
  readonly #sign: NodeSign
  /** When a sign was last taken, monotonic ms. */
  #renewedAt = Number.POSITIVE_INFINITY
  readonly #fence: Fence
  readonly #runs = new Map<string, Run>()
  readonly #history: RunHistory
  /** Sends the output of runs to those who watch it. */
  readonly watch: RunWatch
  readonly #cancels = new Cancels()
  readonly #rows: Rows
  readonly #keeper: VerdictKeeper | undefined
  readonly #absent: AbsentFiles
  readonly #leaving = new AbortController()
  #limits: WorkerLimits
  #heartbeat: NodeJS.Timeout | undefined
  #draining: Promise<void> | undefined
  #deadline: { cancel(): void } | undefined
  #lastEnd = Number.NEGATIVE_INFINITY

  constructor(deps: WorkerDeps) {
    const { init, redis, clock } = deps
    this.#deps = deps
    this.#limits = init.limits
    this.#hashes = new WorkerHashes(redis, {
      workerId: init.workerId,
      taskKey: init.queue.taskKey,
      mode: init.queue.mode === 'sync' ? 'sync' : 'async',
      node: init.node,
      pid: process.pid,
      restartNum: init.restartNum,
      startedAt: clock.now(),
    })
    this.#recorder = new Recorder(
      redis,
      clock,
      () => this.#limits,
      what => this.#log('warn', NO_LIST, what),
    )
    this.#rows = new Rows(deps)
    this.#absent = new AbsentFiles({ redis, node: init.node, clock })
    this.#history = new RunHistory(redis, () => this.#limits.resultKeepMs)
    const { verdictsDir } = init.limits
    this.#keeper = verdictsDir === undefined ? undefined : this.#keeping(verdictsDir)
    this.watch = new RunWatch(this.#runs, deps.send)
    this.#sign = new NodeSign({
      redis,
      node: init.node,
      instance: init.instance,
      clock,
      timeoutMs: () => this.#limits.nodeTimeoutMs,
      onRenewed: ({ signs }) => {
        const now = clock.monotonic()
        // Others took this node for gone, or may have, and another process of it was told.
        const late = now - this.#renewedAt > this.#limits.nodeTimeoutMs / 2
        this.#renewedAt = now
        if (late || goneSince(signs.get(this.#sign.field)) !== undefined) this.confirm()
      },
    })
    this.#fence = new Fence({
      sign: this.#sign,
      clock,
      killWaitMs: () => this.#limits.killWaitMs,
      applies: () => this.#isFenced,
      onClosed: () => this.#endRuns(),
      onOpened: () => undefined,
    })
    this.#consumer = new Consumer({
      redis,
      queue: init.queue,
      owner: deps.owner,
      keepMs: init.limits.resultKeepMs,
      keepCount: init.limits.resultKeepCount,
      handle: claim => this.#cancels.during(claim.task.id, present => this.#handle(claim, present)),
      isStale: () => this.#sign.age > this.#sign.timeoutMs / 2,
      onTaken: id => this.#taken(id),
      onOver: id => void this.#keeper?.drop(id),
      onError: error => this.#log('debug', 'queue', { error: error.message }),
    })
  }

  #keeping(folder: string): VerdictKeeper {
    const { owner, redis, clock } = this.#deps
    const onRefused = (error: string) =>
      this.#log(
        'warn',
        'a verdict cannot be written down: were this worker killed now, its task would run again',
        {
          folder,
          error,
        },
      )
    return new VerdictKeeper({ folder, owner, redis, clock, onRefused })
  }

  async start(): Promise<void> {
    this.beat()
    this.#heartbeat = setInterval(() => this.beat(), HEARTBEAT_MS)
    await this.#sign.start()
    this.#fence.start()
    await this.#consumer.start()
    this.#deps.send({ type: 'ready' })
    // The first call is slow, so it is made before the end of a task waits for it.
    dayOf(this.#deps.clock.now(), this.#limits.timezone)
  }

  /** Renews the rows; the master's measure comes with it when there is one. */
  beat(usage?: { readonly cpu: number; readonly memory: number }): void {
    this.#hashes.heartbeat(this.#deps.clock.now(), usage)
    this.#deps.send({ type: 'pulse' })
  }

  tune(concurrency: number, limits: WorkerLimits): void {
    this.#consumer.concurrency = concurrency
    this.#limits = limits
  }

  cancel(id: string, reason: string): void {
    this.#cancels.cancel(id, reason)
    this.#runs.get(id)?.stop('cancelled', reason)
  }

  /** Makes sure that what it has is still its own. */
  confirm(): void {
    this.#consumer.confirm()
  }

  hearRow(message: ToWorker & { readonly type: 'row' }): void {
    this.#rows.hear(message)
  }

  /**
   * Takes no more tasks, lets those that run finish, ends and gives back what still runs after
   * `waitMs`, and resolves when nothing is left. Called again it only moves the deadline.
   */
  drain(waitMs: number): Promise<void> {
    this.#leaving.abort()
    this.#cancels.leave()
    this.#deadline?.cancel()
    if (Number.isFinite(waitMs))
      this.#deadline = this.#deps.clock.setTimer(waitMs, () => this.#returnAll())
    this.#draining ??= this.#stop()
    return this.#draining
  }

  async #stop(): Promise<void> {
    const reached = await this.#consumer.stop()
    this.#deadline?.cancel()
    clearInterval(this.#heartbeat)
    this.#sign.stop()
    this.#fence.stop()
    // Its row is a lease: without Redis it ends by itself.
    const noted = reached ? this.#hashes.stopped(this.#deps.clock.now()) : undefined
    await Promise.race([noted, this.#deps.clock.sleep(NOTE_MS)])
  }

  /** Whether runs of this queue are never to run beside those of another node. */
  get #isFenced(): boolean {
    const { fence } = this.#limits
    return fence === 'all' || (fence === 'sync' && this.#deps.init.queue.mode === 'sync')
  }

  /**
   * Ends all runs before others may take their tasks. They go back when Redis is reached again, if
   * nobody has taken them.
   */
  #endRuns(): void {
    const tasks = [...this.#runs.keys()]
    if (tasks.length === 0) return
    for (const run of this.#runs.values()) run.stop('returned', CUT_OFF)
    const fields = { tasks, silent_s: Math.round(this.#sign.age / 1000) }
    this.#log('error', `${CUT_OFF}: its runs end, before other nodes take their tasks`, fields)
  }

  #taken(id: string): void {
    this.#log('warn', 'another node has taken a task over: what became of it here is dropped', {
      task: id,
    })
    if (this.#isFenced) this.#runs.get(id)?.stop('returned', 'another node has its task')
  }

  #returnAll(): void {
    for (const run of this.#runs.values()) run.stop('returned', 'taskd is stopping')
  }

  /** A cancelled task never goes back to its queue: it ends as one that was cancelled there. */
  async #handle(claim: Claim, present: Present): Promise<Settlement> {
    const settlement = await this.#carryOut(claim, present)
    if (settlement.type !== 'returned' || present.cancelled === undefined) return settlement
    const now = this.#deps.clock.now()
    if (await this.#consumer.isTaken(claim.task.id)) return this.#letGo(claim, now)
    return this.#settle(claim, cancelledResult(present.cancelled), now)
  }

  async #carryOut(claim: Claim, present: Present): Promise<Settlement> {
    const { task } = claim
    await this.#pauseBetween(present)
    const begins = task.rowId !== undefined && claim.deaths < MAX_DEATHS
    const row = begins ? await this.#rows.open(claim, this.#leaving.signal) : undefined
    const startedAt = this.#deps.clock.now()
    // It may have been on its way so long that others have taken us for gone.
    if (await this.#consumer.isTaken(task.id)) return this.#letGo(claim, startedAt)
    // No waiting between here and the run: a later cancel finds the run.
    if (present.cancelled !== undefined)
      return this.#settle(claim, cancelledResult(present.cancelled), startedAt)
    // We are leaving and it has not begun: somebody else may have it.
    if (this.#leaving.signal.aborted || this.#fence.closed) return this.#giveBack(claim, startedAt)
    if (claim.deaths >= MAX_DEATHS) return this.#settle(claim, lostResult(claim.deaths), startedAt)
    if (row?.ok === false) return this.#putOff(claim, row.reason)
    const absent = whyAbsent(task, this.#limits.binPath)
    if (absent !== undefined) return this.#leaveToOthers(claim, present, absent, startedAt)
    const run = startRun(
      {
        ...this.#limits,
        task,
        environment: environmentOf(claim, this.#deps.init, this.#deps.owner, row?.value),
        functionCall: { subTaskId: row?.value ?? null, traceId: traceIdOf(task.id, claim.attempt) },
        maxRunTimeMs: task.maxRunTimeMs ?? this.#limits.maxRunTimeMs,
        onPid: pid => this.#started(claim, startedAt, pid),
      },
      this.#deps.spawner,
      this.#deps.clock,
    )
    this.#runs.set(task.id, run)
    this.watch.began(task.id, run)
    const ended = await run.ending
    this.#runs.delete(task.id)
    this.watch.ended(task.id, ended)
    this.#lastEnd = this.#deps.clock.monotonic()
    if (ended.stopped !== 'returned') this.#keep(claim, present, startedAt, ended)
    // Before anything is recorded, because it would be recorded twice.
    if (await this.#consumer.isTaken(task.id)) return this.#letGo(claim, startedAt)
    if (ended.stopped === 'returned') return this.#giveBack(claim, startedAt, ended)
    return this.#settle(claim, this.#resultOf(claim, present, ended), startedAt, ended)
  }

  /** One that was cancelled after it had failed is not tried again. */
  #resultOf({ task, retryInMs }: Claim, { cancelled }: Present, ended: Stopped): RunResult {
    const result = verdictOn(task, ended, this.#limits)
    const again = result.retryable && retryInMs !== undefined
    return again && cancelled !== undefined ? cancelledResult(cancelled) : result
  }

  /** `period`: the pause between the end of one task and the start of the next. */
  async #pauseBetween({ hurry }: Present): Promise<void> {
    const { periodMs } = this.#deps.init.queue
    const waitMs = this.#lastEnd + periodMs - this.#deps.clock.monotonic()
    if (periodMs > 0 && waitMs > 0) await this.#deps.clock.sleep(waitMs, hurry)
  }

  /** No run without a row; others must not wait for it. */
  #putOff({ task }: Claim, reason: string): Settlement {
    const inMs = this.#rows.retryInMs
    this.#log('debug', 'a run waits for its row', { task: task.id, reason, again_in_ms: inMs })
    return { type: 'returned', inMs }
  }

  /** Where order counts the task stays in front: others that come for it find it there. */
  async #leaveToOthers(
    claim: Claim,
    present: Present,
    why: string,
    startedAt: number,
  ): Promise<Settlement> {
    const { task } = claim
    const left = await insist(() => this.#absent.leave(task, why), present.hurry).catch(
      (error: unknown) => {
        // Redis takes no write, and we must not wait any longer.
        if (present.hurry.aborted) return undefined
        throw error
      },
    )
    if (left === undefined || present.cancelled !== undefined) return { type: 'returned' }
    if (left.kind === 'nobody') {
      const ended = { ...NO_EXIT, cause: 'spawn', reason: left.reason } as const
      return this.#settle(claim, judge(ended), startedAt, ended)
    }
    const fields = { task: task.id, why, again_in_ms: left.waitMs }
    this.#log('debug', 'a task is left to a node that has its file', fields)
    if (this.#deps.init.queue.mode !== 'sync') return { type: 'returned', inMs: left.waitMs }
    await this.#deps.clock.sleep(left.waitMs, present.hurry)
    return { type: 'returned' }
  }

  #started({ task, attempt }: Claim, startedAt: number, pid: number): void {
    this.#hashes.runStarted({ task, attempt, startedAt, pid })
    this.#deps.send({ type: 'started', id: task.id, job: task.job, attempt, pid })
  }

  async #giveBack(claim: Claim, startedAt: number, ended?: Stopped): Promise<Settlement> {
    const durationMs = this.#deps.clock.now() - startedAt
    const why = this.#leaving.signal.aborted ? 'taskd stopped' : CUT_OFF
    const answer = { code: 'fail', msg: `given back: ${why}`, data: [] }
    const details = { kind: 'returned', duration_ms: durationMs } as const
    await this.#rows.ended(claim, false, answer, details)
    if (!ended) return { type: 'returned' }
    this.#hashes.runEnded(claim.task.id, undefined)
    this.#remember(claim, startedAt, ended, {
      outcome: 'returned',
      kind: '',
      code: '',
      msg: '',
    })
    this.#report(claim, startedAt, { outcome: 'returned', kind: '', code: '', msg: 'given back' })
    return { type: 'returned' }
  }

  #letGo(claim: Claim, startedAt: number): Settlement {
    void this.#keeper?.drop(claim.task.id)
    this.#rows.forget(claim.task.id)
    this.#hashes.runEnded(claim.task.id, undefined)
    const verdict = { outcome: 'returned', kind: '', code: '' } as const
    this.#report(claim, startedAt, { ...verdict, msg: 'another worker has taken it over' })
    return { type: 'taken' }
  }

  async #settle(
    claim: Claim,
    result: RunResult,
    startedAt: number,
    ended?: Stopped,
  ): Promise<Settlement> {
    const { task, retryInMs } = claim
    const { clock } = this.#deps
    const verdict = this.#verdict(claim, result, startedAt)
    await this.#recorder.record(verdict)
    const { outcome, kind } = result
    const details = { kind, duration_ms: clock.now() - startedAt }
    await this.#rows.ended(claim, outcome === 'succ', result.answer, details)
    const answer = bounded(result.answer)
    this.#hashes.runEnded(task.id, stringify(answer))
    const { code, msg: said } = answer
    const msg = outcome === 'succ' ? '' : said
    if (ended) this.#remember(claim, startedAt, ended, { outcome, kind, code, msg })
    this.#report(claim, startedAt, {
      outcome,
      kind,
      code: answer.code,
      msg: answer.msg,
      ...(!verdict.final && retryInMs !== undefined && { retryInMs }),
    })
    return settlementOf(verdict)
  }

  #verdict({ task, attempt, retryInMs }: Claim, result: RunResult, startedAt: number): Verdict {
    const { init, clock } = this.#deps
    return {
      task,
      result,
      attempt,
      startedAt,
      endedAt: clock.now(),
      workerId: init.workerId,
      node: init.node,
      final: !result.retryable || retryInMs === undefined,
    }
  }

  /** Keeps the verdict on disk if Redis does not take it at once. */
  #keep(claim: Claim, present: Present, startedAt: number, ended: Stopped): void {
    const endedAt = this.#deps.clock.now()
    this.#keeper?.hold(claim.task.id, () => {
      const result = this.#resultOf(claim, present, ended)
      const verdict = { ...this.#verdict(claim, result, startedAt), endedAt }
      const { outcome, kind, answer } = result
      const details = { kind, duration_ms: endedAt - startedAt }
      const msg = outcome === 'succ' ? '' : answer.msg
      const told = { outcome, kind, code: answer.code, msg }
      return {
        verdict,
        run: endedRunOf(claim, this.#deps.init, startedAt, endedAt, ended, told),
        row: this.#rows.endOf(claim, outcome === 'succ', answer, details),
      }
    })
  }

  /** Writes a run to the history. A task that was cancelled before its run has none. */
  #remember(
    claim: Claim,
    startedAt: number,
    ended: Stopped,
    verdict: Pick<EndedRun, 'outcome' | 'kind' | 'code' | 'msg'>,
  ): void {
    const { init, clock } = this.#deps
    this.#history.add(endedRunOf(claim, init, startedAt, clock.now(), ended, verdict))
  }

  #report(claim: Claim, startedAt: number, rest: Reported): void {
    this.#deps.send(endedMessage(claim, this.#deps.clock.now() - startedAt, rest))
  }

  #log(level: 'debug' | 'warn' | 'error', msg: string, fields: Record<string, unknown>): void {
    this.#deps.send({ type: 'log', level, msg, fields })
  }
}
