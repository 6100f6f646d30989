import { Counter, Gauge, type Registry } from 'prom-client'
import { setKnown } from './set-known.ts'

interface WatchedChild {
  readonly name: string
  readonly state: string
  readonly restart_num: number
}

/** The part of the daemon's status that is measured. */
export interface WatchedStatus {
  readonly state: string
  readonly redis: { readonly ok: boolean }
  /** null: not known. */
  readonly database: {
    readonly ok: boolean | null
    readonly backlog: number | null
    readonly archived: number
  }
  readonly workers: readonly (WatchedChild & {
    readonly task_key: string
    readonly running_task: number
  })[]
  readonly programs: readonly (WatchedChild & {
    readonly group: string
    readonly dropped: number
  })[]
  readonly queues: readonly {
    readonly task_key: string
    /** null: not known. */
    readonly waiting: number | null
    readonly delayed: number | null
    readonly active: number | null
    readonly bad: number | null
    readonly listed: number | null
    readonly paused: boolean | null
  }[]
}

/** What a queue says of itself beside the status. */
export interface QueueLook {
  /** How long the oldest waiting task has been there, s. */
  readonly oldestS: number
  /** Of a pull queue: how many tasks have ever ended so, on all nodes. */
  readonly ended?: { readonly finished: number; readonly dead: number }
}

/** By queue; of those that have answered. */
export type QueueLooks = ReadonlyMap<string, QueueLook>

/** @returns what takes a status over, just before the registry is read */
export function addStatusMetrics(
  registry: Registry,
): (status: WatchedStatus, looks: QueueLooks) => void {
  const registers = [registry]
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Gauge({ registers, name, help, labelNames })
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ registers, name, help, labelNames })

  const running = gauge(
    'taskd_running',
    '1 while the daemon takes tasks, 0 while it starts, drains or stops.',
  )
  const redis = gauge('taskd_redis_up', '1 when Redis answers and takes writes.')
  const database = gauge('taskd_database_up', '1 when the database took what was last sent.')
  const backlog = gauge(
    'taskd_archiver_backlog',
    'Failed runs that wait in Redis for the database.',
  )
  const archived = counter(
    'taskd_archiver_rows_total',
    'Failed runs that were put into the database.',
  )
  const tasks = gauge(
    'taskd_queue_tasks',
    'Tasks of a queue on all nodes, by where they are: listed (not taken in yet), waiting, delayed, active, bad.',
    'queue',
    'state',
  )
  const oldest = gauge(
    'taskd_queue_oldest_waiting_seconds',
    'How long ago the oldest waiting task of a queue was handed in; 0 when none waits.',
    'queue',
  )
  const ended = counter(
    'taskd_pull_tasks_ended_total',
    'Tasks of a pull queue that are over, on all nodes and since the queue is there: finished, dead.',
    'queue',
    'outcome',
  )
  const paused = gauge('taskd_queue_paused', '1 when the queue is paused.', 'queue')
  const workerUp = gauge('taskd_worker_up', '1 when the worker process runs.', 'worker', 'queue')
  const workerRuns = gauge(
    'taskd_worker_running_tasks',
    'Tasks that a worker runs now.',
    'worker',
    'queue',
  )
  const workerStarts = counter(
    'taskd_worker_restarts_total',
    'How often a worker was started again.',
    'worker',
    'queue',
  )
  const programUp = gauge('taskd_program_up', '1 when the program runs.', 'program', 'group')
  const programStarts = counter(
    'taskd_program_restarts_total',
    'How often a program was started again.',
    'program',
    'group',
  )
  const dropped = counter(
    'taskd_program_dropped_bytes_total',
    'Output of a program that could not be kept.',
    'program',
    'group',
  )

  const setQueues = (status: WatchedStatus, looks: QueueLooks) => {
    for (const one of [tasks, oldest, ended, paused]) one.reset()
    for (const one of status.queues) {
      const queue = one.task_key
      for (const state of ['listed', 'waiting', 'delayed', 'active', 'bad'] as const)
        setKnown(tasks, { queue, state }, one[state])
      const look = looks.get(queue)
      if (look !== undefined && one.waiting !== null) oldest.set({ queue }, look.oldestS)
      for (const [outcome, count] of Object.entries(look?.ended ?? {}))
        ended.inc({ queue, outcome }, count)
      setKnown(paused, { queue }, one.paused)
    }
  }
  const setChildren = (status: WatchedStatus) => {
    for (const one of [workerUp, workerRuns, workerStarts, programUp, programStarts, dropped])
      one.reset()
    for (const one of status.workers) {
      const labels = { worker: one.name, queue: one.task_key }
      workerUp.set(labels, one.state === 'RUNNING' ? 1 : 0)
      workerRuns.set(labels, one.running_task)
      workerStarts.inc(labels, one.restart_num)
    }
    for (const one of status.programs) {
      const labels = { program: one.name, group: one.group }
      programUp.set(labels, one.state === 'RUNNING' ? 1 : 0)
      programStarts.inc(labels, one.restart_num)
      dropped.inc(labels, one.dropped)
    }
  }
  return (status, looks) => {
    running.set(status.state === 'running' ? 1 : 0)
    redis.set(status.redis.ok ? 1 : 0)
    for (const one of [database, backlog]) one.remove()
    setKnown(database, {}, status.database.ok)
    setKnown(backlog, {}, status.database.backlog)
    archived.reset()
    archived.inc(status.database.archived)
    setQueues(status, looks)
    setChildren(status)
  }
}
