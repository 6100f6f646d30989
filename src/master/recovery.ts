import type { Redis } from 'ioredis'
import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { groupLives, processesWithVariable, signalGroup, startTimeOf } from '../lib/proc.ts'
import type { Service } from '../lib/service.ts'
import type { Events } from '../model/events.ts'
import { RUN_VARIABLE, WORKER_VARIABLE, type WorkerLimits } from '../model/ipc.ts'
import { currentOwner, formatOwner, ownerLives, parseOwner } from '../model/owner.ts'
import { lostResult, MAX_DEATHS } from '../model/run-result.ts'
import { wake } from '../queue/give-back.ts'
import { runRow } from '../queue/keys.ts'
import { fieldOfOwner } from '../queue/node-sign.ts'
import { findOrphans, isRemembered, type Judge, type Orphan } from '../queue/recover.ts'
import { RunEnds } from '../queue/run-ends.ts'
import { RunHistory } from '../queue/run-history.ts'
import type { Scripts } from '../queue/scripts.ts'
import { type LeftVerdict, LeftVerdicts } from '../workers/kept-verdicts.ts'
import { NO_LIST, Recorder, type RecorderSettings, settlementOf } from '../workers/settle.ts'

export interface RecoveryDeps {
  readonly redis: Redis & Scripts
  readonly instance: string
  readonly node: string
  readonly taskKeys: () => readonly string[]
  /** Whether others may take the tasks of an owner of another installation, see nodes.ts. */
  readonly isGone: (owner: string, taskKey: string) => boolean
  readonly settings: () => RecorderSettings & Pick<WorkerLimits, 'verdictsDir'>
  readonly clock: Clock
  readonly events: Events
  readonly log: Logger
}

/** How long an ended group may take to be gone. */
const GONE_MS = 2000
/** How often a worker of an earlier daemon is looked at. */
const WATCH_MS = 100
const RETRY_MS = 500

/**
 * Gives back what dead workers had. Each lock records its worker, and /proc says whether that
 * process lives, so nothing has to time out and nothing is guessed. First the runs of a dead worker
 * are ended, then its tasks go back to the front of their queue. The same goes for tasks of other
 * nodes that are gone, whose /proc nobody here can read.
 */
export class Recovery implements Service {
  readonly name = 'recovery'
  readonly #deps: RecoveryDeps
  readonly #recorder: Recorder
  readonly #history: RunHistory
  readonly #ends: RunEnds
  readonly #stopping = new AbortController()
  /** Worker processes of an earlier daemon that still finish their tasks, by worker id. */
  readonly #predecessors = new Map<string, { pid: number; startTime: number }[]>()
  #pass: Promise<void> = Promise.resolve()
  #watching: Promise<void> | undefined

  constructor(deps: RecoveryDeps) {
    this.#deps = deps
    this.#recorder = new Recorder(deps.redis, deps.clock, deps.settings, what =>
      deps.log.warn(what, NO_LIST),
    )
    this.#ends = new RunEnds(deps.redis)
    this.#history = new RunHistory(deps.redis, () => deps.settings().resultKeepMs)
  }

  /** What an earlier daemon left: ends its orphaned runs, gives their tasks back, and watches the rest. */
  async start(): Promise<void> {
    for (const found of processesWithVariable(WORKER_VARIABLE)) {
      const [instance, workerId = ''] = found.value.split('/')
      const startTime = startTimeOf(found.pid)
      if (instance !== this.#deps.instance || startTime === undefined) continue
      const known = this.#predecessors.get(workerId) ?? []
      this.#predecessors.set(workerId, [...known, { pid: found.pid, startTime }])
    }
    await this.recover()
    this.#watching ??= this.#watch()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#watching
    await this.#pass
  }

  /** Pids of an earlier daemon's processes that have this worker's name. */
  predecessorsOf(workerId: string): number[] {
    return (this.#predecessors.get(workerId) ?? [])
      .filter(one => startTimeOf(one.pid) === one.startTime)
      .map(one => one.pid)
  }

  /** One pass over everything; passes never overlap. */
  recover(): Promise<void> {
    const pass = this.#pass.then(() => this.#recoverAll())
    // A failed pass is its caller's to handle; later ones go on.
    this.#pass = pass.catch(() => undefined)
    return pass
  }

  /** A pass over the queues alone: no worker of ours has died. */
  takeOver(): Promise<void> {
    const pass = this.#pass.then(() => this.#recoverQueues())
    this.#pass = pass.catch(() => undefined)
    return pass
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopping
    while (this.#predecessors.size > 0 && !signal.aborted) {
      await this.#deps.clock.sleep(WATCH_MS, signal)
      for (const workerId of this.#predecessors.keys()) {
        if (this.predecessorsOf(workerId).length > 0) continue
        await this.recover()
        this.#predecessors.delete(workerId)
      }
    }
  }

  async #recoverAll(): Promise<void> {
    await this.#endRuns()
    await this.#recoverQueues()
  }

  async #recoverQueues(): Promise<void> {
    // Includes removed queues, if a worker has left a verdict on one of their tasks.
    const left = (await this.#left?.all(text => this.#isDead(text))) ?? []
    const keys = [...this.#deps.taskKeys(), ...left.map(one => one.verdict.task.taskKey)]
    for (const taskKey of new Set(keys)) await this.#recoverQueue(taskKey)
    for (const one of left) await this.#insist(() => this.#tellLate(one))
  }

  get #left(): LeftVerdicts | undefined {
    const { verdictsDir } = this.#deps.settings()
    return verdictsDir === undefined ? undefined : new LeftVerdicts(verdictsDir, this.#deps.log)
  }

  #judge(taskKey: string): Judge {
    const { instance, node, isGone } = this.#deps
    const me = formatOwner(currentOwner(`${node}-${taskKey}-0`, instance))
    return {
      // Tasks seized by ourselves are left from a failed pass: passes never overlap.
      isDead: text =>
        text === me || (this.#isOurs(text) ? this.#isDead(text) : isGone(text, taskKey)),
      signOf: text => (this.#isOurs(text) ? '' : fieldOfOwner(text, taskKey)),
      me,
    }
  }

  #isOurs(text: string): boolean {
    return parseOwner(text)?.instance === this.#deps.instance
  }

  /** An owner of this installation whose process is gone. */
  #isDead(text: string): boolean {
    const owner = parseOwner(text)
    return owner !== undefined && owner.instance === this.#deps.instance && !ownerLives(owner)
  }

  async #endRuns(): Promise<void> {
    const groups = new Set<number>()
    for (const found of processesWithVariable(RUN_VARIABLE))
      if (this.#isDead(found.value)) groups.add(found.group)
    await this.#endGroups(groups)
  }

  async #endGroups(groups: ReadonlySet<number>): Promise<void> {
    for (const group of groups) signalGroup(group, 'SIGKILL')
    const deadline = this.#deps.clock.monotonic() + GONE_MS
    for (const group of groups)
      while (groupLives(group) && this.#deps.clock.monotonic() < deadline)
        await this.#deps.clock.sleep(2)
  }

  #recoverQueue(taskKey: string): Promise<void> {
    return this.#insist(async () => {
      const orphans = await findOrphans(this.#deps.redis, taskKey, this.#judge(taskKey))
      for (const orphan of orphans) await this.#settle(orphan)
      await wake(this.#deps.redis, taskKey)
    })
  }

  async #insist(act: () => Promise<void>): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        return await act()
      } catch (error) {
        // Redis went away in between: what was done stays done, and the rest is found again.
        this.#deps.log.debug({ error: messageOf(error) }, 'recovery waits for Redis')
        await this.#deps.clock.sleep(RETRY_MS, this.#stopping.signal)
      }
    }
  }

  async #settle(orphan: Orphan): Promise<void> {
    const { redis, events } = this.#deps
    const { task, deaths } = orphan
    const workerId = parseOwner(orphan.owner)?.workerId ?? ''
    const row = runRow(workerId, task.id)
    const [noted, pid] = await redis.hmget(row, 'start_runtime', 'pid')
    const startedAt = noted ? Date.parse(noted) : orphan.begunAt
    const ours = this.#isOurs(orphan.owner)
    // A script that overwrote its environment is known by the pid in its row; one of this machine.
    if (ours) await this.#endGroups(new Set(pid ? [Number(pid)] : []))
    await redis.del(row)
    const told = await this.#left?.find(orphan.owner, task.id, orphan.attempt)
    if (told) return this.#tell(orphan, told)
    const buried = deaths >= MAX_DEATHS
    if (buried) await this.#bury(orphan, workerId, startedAt)
    else await orphan.giveBack()
    this.#remember(orphan, workerId, startedAt)
    const outcome = buried ? 'buried' : 'given back'
    events.emit({
      type: 'recovered',
      taskId: task.id,
      workerId,
      deaths,
      outcome,
      ...(!ours && { nodeGone: true }),
    })
  }

  /** The run had ended: reports the verdict as its worker would have. */
  async #tell(orphan: Orphan, left: LeftVerdict): Promise<void> {
    const { verdict, run, row } = left
    await this.#recorder.record(verdict)
    if (row) await this.#ends.put(row)
    this.#history.add(run)
    await orphan.settle(settlementOf(verdict))
    await left.drop()
    const { task, workerId, attempt, result, final } = verdict
    const { id: taskId, taskKey, job } = task
    const { deaths } = orphan
    this.#deps.events.emit({ type: 'recovered', taskId, workerId, deaths, outcome: 'told' })
    if (!final || result.outcome === 'succ' || result.kind === 'cancelled') return
    const which = { taskId, taskKey, workerId, job, attempt }
    this.#deps.events.emit({ type: 'died', ...which, msg: result.answer.msg })
  }

  /**
   * A verdict on a task that its worker no longer holds. If Redis has lost the task, nothing else is
   * known about it. Otherwise the verdict was reported already, or another attempt has begun: then
   * only a failure is recorded, which makes one row however often.
   */
  async #tellLate(left: LeftVerdict): Promise<void> {
    const { verdict, row } = left
    // The queue's recovery may have told it just now.
    if (!(await this.#left?.find(left.owner, verdict.task.id, verdict.attempt))) return
    const { taskKey, id } = verdict.task
    const isKnown = await isRemembered(this.#deps.redis, taskKey, id)
    await this.#recorder.record(isKnown ? { ...verdict, final: false } : verdict)
    if (row) await this.#ends.put(row)
    await left.drop()
    const { task, workerId: worker, attempt } = verdict
    const lost = 'Redis does not know a task whose verdict was kept on disk: it is recorded'
    if (!isKnown) this.#deps.log.warn({ task: task.id, attempt, worker }, lost)
  }

  /** The run that its worker took down with it; one that had not begun leaves no trace. */
  #remember({ task, attempt }: Orphan, workerId: string, startedAt: number | undefined): void {
    if (startedAt === undefined) return
    this.#history.add({
      unique_task_id: task.id,
      job: task.job,
      task_key: task.taskKey,
      attempt,
      worker_id: workerId,
      node: this.#deps.node,
      startedAt,
      endedAt: this.#deps.clock.now(),
      outcome: 'fail',
      kind: 'lost',
      code: 'fail',
      exit_code: null,
      msg: 'its worker or machine died while it ran',
      signal: '',
      peak_memory: null,
      output: '',
    })
  }

  async #bury(orphan: Orphan, workerId: string, startedAt: number | undefined): Promise<void> {
    const { clock, node } = this.#deps
    const result = lostResult(orphan.deaths)
    await this.#recorder.record({
      task: orphan.task,
      result,
      workerId,
      node,
      attempt: orphan.attempt,
      startedAt: startedAt ?? clock.now(),
      endedAt: clock.now(),
      final: true,
    })
    await orphan.settle({ type: 'failed', answer: result.answer, retry: false })
    const { id: taskId, taskKey, job } = orphan.task
    const run = { taskId, taskKey, workerId, job, attempt: orphan.attempt }
    this.#deps.events.emit({ type: 'died', ...run, msg: result.answer.msg })
  }
}
