import type {
  Cancelled,
  FailsQuery,
  Pushed,
  PushRequest,
  Scripts,
  StoredFail,
} from '../api/control.ts'
import type { Once } from '../api/once.ts'
import type { LiveConfig } from '../config/live.ts'
import type { FailLog, StoredFailRow } from '../failures/fail-log.ts'
import type { Clock } from '../lib/clock.ts'
import { TaskdError } from '../lib/errors.ts'
import { callOfRow } from '../model/broker-task.ts'
import type { Job } from '../model/job.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import { type Answer, cancelledResult } from '../model/run-result.ts'
import { DEFAULT_PRIORITY, newTaskId, parseTask, type Task } from '../model/task.ts'
import type { FailFast } from '../queue/connection.ts'
import type { CronStore } from '../queue/cron-store.ts'
import { refuseReplyTo } from '../queue/keys.ts'
import type { Repeats } from '../queue/repeats.ts'
import type { FoundTask, TaskQueues } from '../queue/task-queues.ts'
import type { Recorder } from '../workers/settle.ts'
import { AllowedScripts } from './allowed-scripts.ts'
import { requireJob, requireQueue } from './find-job.ts'
import { inSql } from './in-sql.ts'
import { jobOfTask } from './pull-jobs.ts'
import type { PullTasks } from './pull-tasks.ts'
import { full, waitsFor } from './room.ts'

export interface TaskControlDeps {
  readonly config: LiveConfig
  readonly jobs: () => readonly Job[]
  /** Looks for a job at its source, if it is not among the known ones. */
  readonly findJob: (name: string) => Promise<Job | undefined>
  readonly node: () => string
  readonly queues: FailFast<TaskQueues>
  readonly cron: FailFast<CronStore>
  readonly repeats: FailFast<Repeats>
  readonly recorder: Recorder
  readonly pull: PullTasks
  readonly failLog: FailLog
  readonly clock: Clock
  /** Aborts when the daemon stops, because then nobody can wait any longer. */
  readonly stopping: AbortSignal
  /** Tells whichever node runs a task to end it. */
  readonly orderCancel: (id: string, reason: string) => Promise<void>
}

interface AddOptions {
  readonly wait: boolean
  readonly once: Once | undefined
  /** Its id was made just now. */
  readonly made: boolean
  /** What the task was read from; a pull queue hands it on as it is. */
  readonly message?: object
  /** Called right before it is added; if it throws, the task is not added. */
  readonly first?: (id: string) => Promise<unknown>
}

const FIRST_LOOK_MS = 5

/** What people do with single tasks. */
export class TaskControl {
  readonly #deps: TaskControlDeps
  readonly #scripts: AllowedScripts

  constructor(deps: TaskControlDeps) {
    this.#deps = deps
    this.#scripts = new AllowedScripts(deps.config)
  }

  async push(
    request: PushRequest,
    signal: AbortSignal,
    scripts?: Scripts,
  ): Promise<Pushed | Answer> {
    const queue = this.#deps.config.current.queues.find(one => one.taskKey === request.task_key)
    if (!queue) throw noQueue(request.task_key)
    const newId = newTaskId()
    const parsed = parseTask(request.task, queue.taskKey, newId)
    if (!parsed.ok)
      throw new TaskdError('E_BAD_TASK', `not a task: ${parsed.reason}`, 'see docs/tasks.md')
    const refused = refuseReplyTo(parsed.value.replyTo, this.#taskKeys())
    if (refused !== undefined) throw new TaskdError('E_BAD_TASK', `reply_to ${refused}`)
    const task = scripts === 'allowed' ? this.#allowed(parsed.value) : parsed.value
    const { wait, once, task: message } = request
    const made = task.id === newId
    const first = () => this.#room(queue, task)
    return this.#add(task, { wait, once, made, message, first }, signal)
  }

  /** @throws TaskdError E_SCOPE, E_BAD_TASK */
  #allowed(task: Task): Task {
    const job = jobOfTask(task.id, this.#deps.jobs())
    if (job)
      throw new TaskdError(
        'E_BAD_TASK',
        `"unique_task_id" ${task.id} is that of a run of job ${job.name}, which would then not run`,
        'choose another id',
      )
    return this.#judged(task)
  }

  /** Tasks of a pull queue are run by agents, whose machines decide what they run. */
  #judged(task: Task): Task {
    return this.#deps.pull.specOf(task.taskKey) ? task : this.#scripts.check(task)
  }

  async runJob(
    name: string,
    { wait, once }: { readonly wait: boolean; readonly once?: Once | undefined },
    signal: AbortSignal,
  ): Promise<Pushed | Answer> {
    const { clock, cron } = this.#deps
    const job = await requireJob(this.#deps, name)
    const scheduledAt = clock.now()
    const id = `run-${name}-${newTaskId().slice(0, 13)}`
    const first = (given: string) => cron.noteRun(name, given, scheduledAt)
    return this.#add(
      { ...job.task, id, job: name, scheduledAt },
      { wait, once, made: true, first },
      signal,
    )
  }

  /** @throws TaskdError E_FULL */
  async #room({ taskKey, capacity }: QueueSpec, task: Task): Promise<void> {
    const counts = await this.#deps.queues.counts(taskKey)
    const kind = waitsFor(task, this.#deps.clock.now())
    if (counts[kind] >= capacity) throw full(taskKey, capacity, kind)
  }

  async #add(
    task: Task,
    { wait, once, made, message, first }: AddOptions,
    signal: AbortSignal,
  ): Promise<Pushed | Answer> {
    const { pull, queues, repeats, config } = this.#deps
    const { taskKey } = task
    const spec = pull.specOf(taskKey)
    const put = async (id: string) => {
      // When the answer to an earlier call was lost, the task may be there already, however full
      // the queue is.
      if (once && !spec && (await queues.known(taskKey, [id]))[0]) return
      await first?.(id)
      if (spec) await pull.add(spec, { ...task, id }, message)
      // The id of a repeated call is an earlier one.
      else await queues.add(taskKey, [{ ...task, id }], { made: made && !once })
    }
    const keepMs = config.current.settings.resultKeepTimeMs
    const id = once ? await repeats.once(once, task.id, keepMs, put) : task.id
    if (!once) await put(id)
    if (!wait) return { unique_task_id: id }
    if (!spec) return this.#answerOf({ ...task, id }, signal)
    return pull.answerOf(taskKey, id, AbortSignal.any([signal, this.#deps.stopping]))
  }

  /** Waits for the final answer, looking ever less often: the task may take hours. */
  async #answerOf(task: Task, signal: AbortSignal): Promise<Answer> {
    const { queues, clock, stopping } = this.#deps
    const over = AbortSignal.any([signal, stopping])
    for (let waitMs = FIRST_LOOK_MS; !over.aborted; waitMs = Math.min(waitMs * 1.3, 500)) {
      const found = await queues.find([task.taskKey], task.id)
      if (found?.answer) return found.answer
      const removed = found ? undefined : await queues.findRemoved(task.id)
      if (removed) return removed.answer
      if (!found) throw noTask(task.id)
      await clock.sleep(waitMs, over)
    }
    throw new TaskdError(
      'E_STOPPING',
      `taskd stops; task ${task.id} is kept and will have its answer later`,
    )
  }

  async cancel(id: string, reason = 'cancelled by hand'): Promise<Cancelled> {
    const { queues } = this.#deps
    const found = await queues.find(this.#taskKeys(), id)
    if (!found || found.state === 'completed' || found.state === 'failed')
      throw await this.#whyNoTask(id)
    const { task } = found
    if (found.state !== 'active' && (await queues.remove(task.taskKey, id))) {
      await this.#recordCancelled(found, reason)
      return { unique_task_id: id, was: 'waiting' }
    }
    await this.#deps.orderCancel(id, reason)
    return { unique_task_id: id, was: 'running' }
  }

  /** Why no worker of ours can have this task. */
  async #whyNoTask(id: string): Promise<TaskdError> {
    const { queues, pull } = this.#deps
    for (const taskKey of this.#taskKeys())
      if (await queues.isListed(taskKey, id))
        return new TaskdError(
          'E_BAD_STATE',
          `task ${id} is a message of the list ${taskKey}, and not taken in yet`,
          `taskd why ${taskKey} says what it waits for; cancel it again once it is taken in`,
        )
    const pulled = await pull.openIn(id)
    if (pulled !== undefined)
      return new TaskdError(
        'E_BAD_STATE',
        `task ${id} is of the pull queue ${pulled}, whose tasks are claimed by others`,
        `taskd pause ${pulled} holds back what is not claimed yet`,
      )
    return new TaskdError('E_NO_TASK', `no task ${id} is waiting or running`)
  }

  async #recordCancelled({ task, attempts }: FoundTask, reason: string): Promise<void> {
    const { recorder, node, clock, queues, config } = this.#deps
    const now = clock.now()
    const result = cancelledResult(reason)
    const { id, taskKey } = task
    await queues.noteRemoved(
      { id, task_key: taskKey, attempts, answer: result.answer },
      config.current.settings.resultKeepTimeMs,
    )
    await recorder.record({
      task,
      result,
      workerId: node(),
      node: node(),
      attempt: attempts + 1,
      startedAt: now,
      endedAt: now,
      final: true,
    })
  }

  async retry(id: string, scripts?: Scripts): Promise<Pushed> {
    const { queues, failLog } = this.#deps
    const found = await queues.find(this.#taskKeys(), id)
    if (found && found.state !== 'failed')
      throw new TaskdError('E_BAD_STATE', `task ${id} is ${found.state}, not failed`)
    if (found && scripts === 'allowed' && !runsLike(found.task, this.#judged(found.task)))
      throw new TaskdError(
        'E_SCOPE',
        `task ${id} does not run as the job of its script does`,
        'send the secret that has the scope admin',
      )
    if (found && (await queues.retry(found.task.taskKey, id))) return { unique_task_id: id }
    if (await this.#deps.pull.retry(id)) return { unique_task_id: id }
    // The engine has forgotten it; fail_log has not.
    const rows = await inSql(
      failLog.byTaskId(id),
      'taskd itself has forgotten the task; try again when it is back',
    )
    const row = rows.at(-1)
    if (!row) throw noTask(id)
    if (!this.#taskKeys().includes(row.task_key)) throw noQueue(row.task_key)
    const known = this.#taskOf(row)
    const task = scripts === 'allowed' ? this.#judged(known) : known
    const spec = this.#deps.pull.specOf(row.task_key)
    if (spec) await this.#deps.pull.addForgotten(spec, task)
    else await queues.add(row.task_key, [task], { earlierAttempts: row.attempt })
    return { unique_task_id: id }
  }

  /** A job's task follows the job as it is now; any other is as its row has it. */
  #taskOf(row: StoredFailRow): Task {
    const job = this.#deps.jobs().find(one => one.name === row.job)
    if (job && job.task.taskKey === row.task_key)
      return { ...job.task, id: row.unique_task_id, job: row.job }
    return {
      id: row.unique_task_id,
      taskKey: row.task_key,
      script: row.script,
      controller: row.controller,
      ...callOfRow(row),
      function: row.function,
      param: row.param,
      job: row.job,
      priority: DEFAULT_PRIORITY,
      retries: 0,
      retryIntervalsMs: [],
    }
  }

  /** On all nodes: a queue by its flag in the engine, a job by its state. */
  async setPaused(names: readonly string[], paused: boolean): Promise<void> {
    const { queues, cron, clock } = this.#deps
    const jobs = new Set(this.#deps.jobs().map(job => job.name))
    const taskKeys = new Set(this.#taskKeys())
    const unknown = names.find(name => !jobs.has(name) && !taskKeys.has(name))
    if (unknown !== undefined)
      throw new TaskdError(
        'E_NO_NAME',
        `no queue or job named ${unknown}`,
        '`taskd status` lists them',
      )
    for (const name of names) {
      if (taskKeys.has(name)) await (paused ? queues.pause(name) : queues.resume(name))
      if (jobs.has(name) && !paused) await cron.passPaused(name, clock.now())
      if (jobs.has(name)) await cron.setPaused(name, paused ? 'paused by hand' : '')
    }
  }

  async fails(query: FailsQuery): Promise<readonly StoredFail[]> {
    const { limit, job, task_key: taskKey } = query
    const { failLog } = this.#deps
    const asked = { limit, ...(job && { job }), ...(taskKey && { taskKey }) }
    const found = await inSql(
      failLog.newest(asked),
      'failures wait in Redis; `taskd status` counts them',
    )
    // Removed jobs still have their failures; an unknown name is a mistake.
    if (found.length === 0) {
      if (job) await requireJob(this.#deps, job)
      if (taskKey) requireQueue(this.#taskKeys(), taskKey)
    }
    return found
  }

  #taskKeys(): readonly string[] {
    return this.#deps.config.current.queues.map(queue => queue.taskKey)
  }
}

function noTask(id: string): TaskdError {
  return new TaskdError(
    'E_NO_TASK',
    `no task ${id} is known`,
    '`taskd fails` lists the failed ones',
  )
}

function noQueue(taskKey: string): TaskdError {
  return new TaskdError(
    'E_NO_QUEUE',
    `no queue named ${taskKey}`,
    'add [queue:NAME] to the configuration',
  )
}

/** Whether a task that is kept runs as the same user, and in the same way, as its judged form. */
function runsLike(kept: Task, judged: Task): boolean {
  const how = ({ user, interpreter, directory, environment }: Task) =>
    JSON.stringify([user, interpreter, directory, environment])
  return how(kept) === how(judged)
}
