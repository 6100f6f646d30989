import type { Redis } from 'ioredis'
import { isoWithOffset } from '../lib/clock.ts'
import type { Task } from '../model/task.ts'
import { LEASE_MS, runRow, STOPPED_ROW_MS, workerRow } from '../queue/keys.ts'

export interface WorkerIdentity {
  readonly workerId: string
  readonly taskKey: string
  readonly mode: 'sync' | 'async'
  readonly node: string
  readonly pid: number
  readonly restartNum: number
  /** ms */
  readonly startedAt: number
}

/** A run as its `Task:List` row has it. */
export interface RunningTask {
  readonly task: Task
  readonly attempt: number
  readonly startedAt: number
  /** 0 for one that is no process. */
  readonly pid: number
}

/**
 * The rows of one worker, and of nothing else: a row is written by the worker that it describes.
 * Nothing here is waited for: Redis keeps the order, and a run does not depend on its row.
 */
export class WorkerHashes {
  readonly #redis: Redis
  readonly #who: WorkerIdentity
  readonly #row: string
  readonly #running = new Map<string, RunningTask>()
  readonly #over = new Set<string>()
  #lastAnswer = ''
  #stopped = false
  #usage = { cpu: 0, memory: 0 }

  constructor(redis: Redis, who: WorkerIdentity) {
    this.#redis = redis
    this.#who = who
    this.#row = workerRow(who.mode, who.workerId)
  }

  get running(): number {
    return this.#running.size
  }

  /** Writes everything anew and renews every lease; also restores what a FLUSHALL removed. */
  heartbeat(now: number, usage = this.#usage): void {
    if (this.#stopped) return
    this.#usage = usage
    this.#put(this.#row, this.#fields(now))
    for (const run of this.#running.values()) this.#writeRun(run)
    this.#remove([...this.#over])
  }

  runStarted(run: RunningTask): void {
    this.#running.set(run.task.id, run)
    this.#over.delete(runRow(this.#who.workerId, run.task.id))
    this.#writeRun(run)
    this.#change({})
  }

  /** @param answer the whole answer as JSON, or undefined when there is none */
  runEnded(taskId: string, answer: string | undefined): void {
    this.#running.delete(taskId)
    const returned = this.#who.mode === 'sync' && answer !== undefined
    if (returned) this.#lastAnswer = answer
    this.#change(returned ? { run_return: answer } : {})
    const row = runRow(this.#who.workerId, taskId)
    this.#over.add(row)
    this.#remove([row])
  }

  /** Rows of ended runs are remembered until Redis has removed them: a full disk refuses even that. */
  #remove(rows: readonly string[]): void {
    // One by one: in a cluster they are in many slots.
    for (const row of rows)
      this.#redis.del(row).then(
        () => this.#over.delete(row),
        () => undefined,
      )
  }

  /** Sets the lease each time: after a FLUSHALL this may create the row again. */
  #change(fields: Record<string, string>): void {
    this.#put(this.#row, { running_task: String(this.#running.size), ...fields })
  }

  /**
   * Not in a pipeline: making one copies every script that the engine has given the client, which
   * takes longer than all else here; and the connection sends these in one write anyway.
   */
  #put(key: string, fields: Record<string, string>): void {
    forget(this.#redis.hset(key, fields))
    forget(this.#redis.pexpire(key, LEASE_MS))
  }

  /** The last write of a worker that stops in order. */
  async stopped(now: number): Promise<void> {
    this.#stopped = true
    const fields = {
      ...this.#fields(now),
      status: 'stop',
      running_task: '0',
      cpu: '0',
      memory: '0',
    }
    await this.#redis.pipeline().hset(this.#row, fields).pexpire(this.#row, STOPPED_ROW_MS).exec()
  }

  #fields(now: number): Record<string, string> {
    const who = this.#who
    return {
      worker_id: who.workerId,
      task_key: who.taskKey,
      status: 'running',
      running_task: String(this.#running.size),
      restart_num: String(who.restartNum),
      run_time: isoWithOffset(who.startedAt),
      ...(who.mode === 'sync' && { run_return: this.#lastAnswer }),
      pid: String(who.pid),
      node: who.node,
      cpu: this.#usage.cpu.toFixed(1),
      memory: String(Math.round(this.#usage.memory)),
      heartbeat: isoWithOffset(now),
    }
  }

  #writeRun(run: RunningTask): void {
    const { task } = run
    const key = runRow(this.#who.workerId, task.id)
    this.#put(key, {
      worker_id: this.#who.workerId,
      task_key: task.taskKey,
      start_runtime: isoWithOffset(run.startedAt),
      script: task.script,
      controller: task.controller,
      function: task.function,
      param: task.param,
      unique_task_id: task.id,
      job: task.job,
      pid: run.pid === 0 ? '' : String(run.pid),
      attempt: String(run.attempt),
    })
  }
}

/**
 * A rejected command is an outage, which the health check reports; the next heartbeat restores the
 * rows.
 */
function forget(reply: Promise<unknown>): void {
  reply.catch(() => undefined)
}

/** Says that a worker is gone, when it could not say so itself. */
export async function markStopped(
  redis: Redis,
  mode: 'sync' | 'async',
  workerId: string,
): Promise<void> {
  const key = workerRow(mode, workerId)
  if ((await redis.exists(key)) === 0) return
  await redis
    .pipeline()
    .hset(key, { status: 'stop', running_task: '0' })
    .pexpire(key, STOPPED_ROW_MS)
    .exec()
}
