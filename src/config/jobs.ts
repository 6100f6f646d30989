import { resolve } from 'node:path'
import type { z } from 'zod'
import type { Job, TaskTemplate, Trigger } from '../model/job.ts'
import type { JOB } from './core-kinds.ts'
import { resolveProgram } from './paths.ts'

type JobValues = z.output<typeof JOB.schema>

/** Waits for `retries` without `retry_intervals`; the last repeats. */
const RETRY_INTERVALS_MS: readonly number[] = [10_000, 60_000, 300_000]

export interface JobContext {
  readonly trigger: Trigger
  readonly timezone: string
  /** What relative paths start from. */
  readonly root: string
}

export function buildJob(name: string, values: JobValues, context: JobContext): Job {
  return {
    name,
    enabled: values.enabled,
    trigger: context.trigger,
    timezone: context.timezone,
    overlap: values.overlap,
    misfire: values.misfire,
    misfireGraceMs: values.misfire_grace,
    maxBackfill: values.max_backfill,
    jitterMs: values.jitter,
    pauseOnFailures: values.pause_on_failures,
    task: buildTask(values, context.root),
  }
}

/** The keys that jobs and table queues have in common. */
type TaskValues = Pick<
  JobValues,
  | 'task_key'
  | 'script'
  | 'controller'
  | 'function'
  | 'param'
  | 'priority'
  | 'max_run_time'
  | 'retries'
  | 'retry_intervals'
  | 'interpreter'
  | 'directory'
  | 'user'
  | 'environment'
>

export function buildTask(values: TaskValues, root: string): TaskTemplate {
  const { interpreter, directory, user, environment } = values
  const retries = values.retries ?? values.retry_intervals?.length ?? 0
  return {
    taskKey: values.task_key,
    script: resolve(root, values.script),
    controller: values.controller,
    function: values.function,
    param: values.param,
    priority: values.priority,
    retries,
    retryIntervalsMs: retries === 0 ? [] : (values.retry_intervals ?? RETRY_INTERVALS_MS),
    ...(values.max_run_time !== undefined && { maxRunTimeMs: values.max_run_time }),
    ...(interpreter !== undefined && { interpreter: resolveProgram(interpreter, root) }),
    ...(directory !== undefined && { directory: resolve(root, directory) }),
    ...(user !== undefined && { user }),
    ...(environment !== undefined && { environment }),
  }
}
