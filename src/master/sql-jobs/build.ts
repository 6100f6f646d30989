import type { Redis } from 'ioredis'
import type { LiveConfig } from '../../config/live.ts'
import type { Clock } from '../../lib/clock.ts'
import { TaskdError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Events } from '../../model/events.ts'
import type { Job } from '../../model/job.ts'
import { taskKeyOf } from '../../model/sql-job.ts'
import { type FailFast, over } from '../../queue/connection.ts'
import { CronStore } from '../../queue/cron-store.ts'
import { JOBS_CHANNEL } from '../../queue/keys.ts'
import { PullFeed } from '../../queue/pull-feed.ts'
import type { Scripts } from '../../queue/scripts.ts'
import { TaskQueues } from '../../queue/task-queues.ts'
import type { Store } from '../../store/store.ts'
import type { Engine } from '../engine.ts'
import { JobStates } from '../job-states.ts'
import { SqlJobControl } from './control.ts'
import { SqlJobs } from './sql-jobs.ts'

export interface SqlJobParts {
  readonly config: LiveConfig
  readonly engine: Pick<Engine, 'setJobs' | 'nextOf'>
  readonly store: Store
  /** A connection that waits through an outage. */
  readonly redis: Redis & Scripts
  readonly ask: FailFast & Scripts
  /** Whether Redis can be asked. */
  readonly answers: () => boolean
  readonly clock: Clock
  readonly events: Events
  readonly log: Logger
}

/** All that has to do with jobs in SQL, but their runs; and the jobs of both sources together. */
export function buildSqlJobs(parts: SqlJobParts) {
  const { config, engine, store, redis, ask, clock, events, log } = parts
  const asking = over(ask, client => new CronStore(client))
  const sqlJobs = new SqlJobs({
    config,
    store,
    cron: new CronStore(redis),
    asking,
    clock,
    random: Math.random,
    events,
    log,
    onChange: () => engine.setJobs(),
  })
  const jobs = both(() => config.current.jobs, sqlJobs)
  const jobStates = new JobStates({ jobs, answers: parts.answers, cron: asking, clock })
  return {
    sqlJobs,
    jobs,
    jobStates,
    /**
     * A row that was written a moment ago may not have been seen yet.
     * @throws TaskdError E_BAD_JOB when there is such a row and it makes no job
     */
    async find(name: string): Promise<Job | undefined> {
      const named = () => jobs().find(job => job.name === name)
      const known = named()
      if (known || taskKeyOf(name) === undefined) return known
      await sqlJobs.look().catch(() => undefined)
      const bad = sqlJobs.bad.find(one => one.name === name)
      if (bad) throw new TaskdError('E_BAD_JOB', `${name} cannot run: ${bad.problem}`)
      return named()
    },
    control: new SqlJobControl({
      config,
      store,
      sqlJobs,
      jobStates,
      queues: over(ask, client => {
        const keepMs = () => config.current.settings.resultKeepTimeMs
        return new TaskQueues(client, () => clock.now(), keepMs)
      }),
      feed: over(ask, client => new PullFeed(client, () => clock.now())),
      clock,
      nextOf: name => engine.nextOf(name),
      announce: () => ask.publish(JOBS_CHANNEL, ''),
    }),
  }
}

/** The same value as long as neither changes: thousands of jobs are asked for many times. */
function both(ofFile: () => readonly Job[], ofSql: { readonly jobs: readonly Job[] }) {
  let from: readonly [readonly Job[], readonly Job[]] = [[], []]
  let all: readonly Job[] = []
  return (): readonly Job[] => {
    const [file, sql] = [ofFile(), ofSql.jobs]
    if (file !== from[0] || sql !== from[1]) all = [...file, ...sql]
    from = [file, sql]
    return all
  }
}
