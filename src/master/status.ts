import type { LastRunStatus } from '../api/last-run-status.ts'
import type { PullPort } from '../api/pull-port.ts'
import type { JobStatus, QueueStatus, Status, UnknownQueue, WorkerStatus } from '../api/status.ts'
import type { LiveConfig } from '../config/live.ts'
import type { Archiver } from '../failures/archiver.ts'
import type { FeatureSet } from '../features/feature-set.ts'
import type { Supervisor } from '../features/programs/supervisor.ts'
import { type Clock, isoWithOffset } from '../lib/clock.ts'
import { withoutPasswords } from '../lib/redis-nodes.ts'
import type { Job } from '../model/job.ts'
import type { RedisHealth } from '../monitor/redis-health.ts'
import type { FailFast } from '../queue/connection.ts'
import { listed } from '../queue/plain-list.ts'
import type { PullFeed } from '../queue/pull-feed.ts'
import type { TaskQueues } from '../queue/task-queues.ts'
import { formatInstant } from '../schedule/format.ts'
import type { ManagedProgram } from '../supervise/managed-program.ts'
import { childStatus, programStatus } from './child-status.ts'
import type { DataMark } from './data-mark.ts'
import type { Engine } from './engine.ts'
import { heldBy, type JobStates, type ToldStates } from './job-states.ts'
import { lastRun, NO_RUN } from './last-run.ts'
import type { RunRowParts } from './sql-jobs/rows-build.ts'
import type { SqlJobs } from './sql-jobs/sql-jobs.ts'
import { badStatus, sqlJobsStatus } from './sql-jobs/status.ts'

export interface StatusDeps {
  readonly version: string
  readonly startedAt: number
  /** Wall time, ms. */
  readonly startedWall: number
  readonly clock: Clock
  readonly config: LiveConfig
  readonly jobs: () => readonly Job[]
  readonly jobStates: Pick<JobStates, 'read'>
  readonly sqlJobs: Pick<SqlJobs, 'jobs' | 'bad' | 'condition'>
  readonly state: () => Status['state']
  readonly engine: Engine
  readonly embedded: ManagedProgram | undefined
  readonly supervisor: Supervisor
  readonly health: RedisHealth
  readonly dataMark: Pick<DataMark, 'emptied'>
  readonly archiver: () => Archiver | undefined
  readonly runRows: Pick<RunRowParts, 'status'>
  readonly databaseAddress: string
  readonly redisUrl: string
  readonly redis: FailFast
  readonly asking: {
    readonly queues: FailFast<TaskQueues>
    readonly feed: FailFast<PullFeed>
  }
  readonly pull: Pick<PullPort, 'counts'>
  readonly features: Pick<FeatureSet, 'statuses'>
}

/** The daemon as it is now. What Redis does not tell in time is shown as it was last known, or left out. */
export async function readStatus(deps: StatusDeps): Promise<Status> {
  const { clock, engine, health } = deps
  const asking = { ...deps.asking, config: deps.config }
  const config = deps.config.current
  const jobs = deps.jobs()
  const [queues, told, features] = await Promise.all([
    readQueues(deps),
    deps.jobStates.read(),
    deps.features.statuses(),
  ])
  const lasts = await Promise.all(jobs.map(job => lastRun(asking, job, told.states.get(job.name))))
  return {
    node: engine.node,
    pid: process.pid,
    version: deps.version,
    uptime_s: Math.round((clock.monotonic() - deps.startedAt) / 1000),
    state: deps.state(),
    config: config.file,
    redis: {
      ok: health.status.ok,
      error: health.status.error,
      since: isoWithOffset(health.status.since),
      url: withoutPasswords(deps.redisUrl),
      version: health.status.version,
      servers: health.status.servers,
      answers: health.status.answers,
      full: health.status.full,
      emptied: deps.dataMark.emptied,
      used_memory: health.status.answers ? (health.status.memory?.used ?? 0) : null,
      maxmemory: health.status.answers ? (health.status.memory?.max ?? 0) : null,
    },
    database: readDatabase(deps),
    workers: engine.members.map(member => ({
      ...childStatus(member.program, clock, predecessors(engine, member.program.name)),
      kind: member.spec.mode === 'sync' ? ('sync' as const) : ('async' as const),
      task_key: member.spec.taskKey,
      running_task: member.runs.size,
      ...member.usage,
    })) satisfies WorkerStatus[],
    programs: [
      ...(deps.embedded
        ? [{ ...childStatus(deps.embedded, clock, ''), group: '', dropped: 0 }]
        : []),
      ...deps.supervisor.members.map(member => programStatus(member, clock)),
    ],
    queues,
    jobs: [
      ...jobs.map((job, index) => ({
        ...jobStatus(job, told, lasts[index], engine, clock.now()),
        ...(told.as_of !== undefined && { as_of: told.as_of }),
      })),
      ...deps.sqlJobs.bad.map(badStatus),
    ],
    sql_jobs: sqlJobsStatus(deps.sqlJobs),
    ...features.lists,
    parts: features.parts,
    nodes: engine.nodes.map(node =>
      node.self || health.status.answers ? node : { ...node, state: 'unknown', since: null },
    ),
  }
}

function predecessors(engine: Engine, name: string): string {
  const pids = engine.predecessorsOf(name)
  return pids.length === 0 ? '' : `waits for pid ${pids.join(', ')} of the daemon before to finish`
}

function readDatabase(deps: StatusDeps): Status['database'] {
  const archiver = deps.archiver()?.status()
  const rows = deps.runRows.status()
  const jobs = deps.sqlJobs.condition
  const own = {
    ok: archiver?.ok ?? null,
    since: isoWithOffset(archiver?.since ?? deps.startedWall),
  }
  const table = jobs.away ? jobs : { ok: true, since: own.since }
  const parts = [own, rows, table]
  const wrong = parts.filter(part => part.ok === false)
  const { answers } = deps.health.status
  const times = (wrong.length > 0 ? wrong : parts).map(part => part.since)
  const byTime = times.toSorted((a, b) => Date.parse(a) - Date.parse(b))
  return {
    ok: wrong.length > 0 ? false : own.ok,
    error: archiver?.error || rows.error || (jobs.away ? jobs.error : ''),
    // Away since the first of its troubles; well since the last of them ended.
    since: (wrong.length > 0 ? byTime[0] : byTime.at(-1)) ?? own.since,
    url: deps.databaseAddress,
    backlog: answers ? (archiver?.backlog ?? null) : null,
    archived: archiver?.archived ?? 0,
    runs_waiting: answers ? (rows.waiting ?? null) : null,
  }
}

const UNKNOWN_QUEUE: UnknownQueue = {
  listed: null,
  waiting: null,
  delayed: null,
  active: null,
  bad: null,
  paused: null,
  unknown: true,
}

async function readQueues(deps: StatusDeps): Promise<QueueStatus[]> {
  const { health, asking, redis } = deps
  return Promise.all(
    deps.config.current.queues.map(async ({ taskKey, mode }) => {
      if (!health.status.answers) return { task_key: taskKey, mode, ...UNKNOWN_QUEUE }
      const read = async () => {
        const [list, rest] = await Promise.all([
          listed(redis, taskKey),
          asking.queues.counts(taskKey),
        ])
        const counts = { listed: list, ...rest }
        if (mode !== 'pull') return counts
        const { todo, doing } = await deps.pull.counts(taskKey)
        return { ...counts, waiting: todo, active: doing }
      }
      return { task_key: taskKey, mode, ...(await read().catch(() => UNKNOWN_QUEUE)) }
    }),
  )
}

function jobStatus(
  job: Job,
  told: ToldStates,
  last: LastRunStatus | undefined,
  engine: Engine,
  now: number,
): JobStatus {
  const off = job.task.rowId === undefined ? 'enabled = false' : 'is_valid = 0'
  const state = told.states.get(job.name)
  const held = job.enabled ? heldBy(state, told) : off
  const next = held === '' ? engine.nextOf(job.name) : undefined
  const iso = (at: number | undefined) =>
    at === undefined ? null : formatInstant(at, job.timezone)
  return {
    name: job.name,
    task_key: job.task.taskKey,
    enabled: job.enabled,
    held,
    next: next === undefined || next < now ? null : iso(next),
    ...(last ?? NO_RUN),
    failures: state?.failures ?? null,
  }
}
