import { isoWithOffset } from '../lib/clock.ts'
import type { FailRow } from '../model/fail-row.ts'
import type { RunResult } from '../model/run-result.ts'
import type { Task } from '../model/task.ts'

/** A run that failed. */
export interface FailedRun {
  readonly task: Pick<
    Task,
    'id' | 'taskKey' | 'script' | 'controller' | 'function' | 'param' | 'job'
  >
  readonly result: Pick<RunResult, 'answer' | 'exitCode' | 'signal' | 'output'> & {
    /** A `FailKind`, or `fail` where an agent gave none. */
    readonly kind: string
  }
  readonly workerId: string
  readonly node: string
  readonly attempt: number
  /** Wall time, ms. */
  readonly startedAt: number
  readonly endedAt: number
}

/** Its row, as `Task:Fail` and the table fail_log have it. */
export function failRowOf({ task, result, ...run }: FailedRun): FailRow {
  return {
    worker_id: run.workerId,
    task_key: task.taskKey,
    start_runtime: isoWithOffset(run.startedAt),
    end_runtime: isoWithOffset(run.endedAt),
    script: task.script,
    controller: task.controller,
    function: task.function,
    param: task.param,
    unique_task_id: task.id,
    node: run.node,
    job: task.job,
    attempt: run.attempt,
    kind: result.kind || 'answer',
    code: result.answer.code,
    msg: result.answer.msg,
    exit_code: result.exitCode,
    signal: result.signal ?? '',
    output: result.output,
  }
}
