import type { LiveConfig } from '../../config/live.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Service } from '../../lib/service.ts'
import type { Events } from '../../model/events.ts'
import { SQL_QUEUE, taskKeyOf } from '../../model/sql-job.ts'
import type { FailFast } from '../../queue/connection.ts'
import { RunEnds } from '../../queue/run-ends.ts'
import type { Store } from '../../store/store.ts'
import type { Engine } from '../engine.ts'
import { Mending } from './mending.ts'
import { RunRowKeeper, type RunRowsStatus } from './run-rows.ts'

export interface RunRowParts extends Service {
  status(): RunRowsStatus
  /** Answers a worker that wants a row for its run. */
  readonly open: RunRowKeeper['open']
}

export interface RunRowPartsDeps {
  readonly config: LiveConfig
  readonly engine: Engine
  readonly store: Pick<Store, 'runRows'>
  readonly redis: FailFast
  readonly clock: Clock
  readonly events: Events
  readonly log: Logger
}

/** The rows of runs, from their beginning to their end, also where a run dies. */
export function buildRunRows(deps: RunRowPartsDeps): RunRowParts {
  const { config, engine, store, redis, clock, events, log } = deps
  const node = () => engine.node
  const ends = new RunEnds(redis)
  const rows = store.runRows
  const keeper = new RunRowKeeper({
    rows,
    ends,
    clock,
    log,
    node,
    random: Math.random,
    onUnheard: () => mending.look(),
  })
  const mending = new Mending({
    rows,
    ends,
    redis,
    clock,
    log,
    node,
    taskKeys: () => [...new Set([SQL_QUEUE, ...config.current.queues.map(queue => queue.taskKey)])],
    runsHere: run => {
      const member = engine.member(run.worker_id)
      if (member?.runs.get(run.unique_task_id)?.attempt === run.attempt) return true
      // A worker that an earlier daemon has left finishing its runs.
      return engine.predecessorsOf(run.worker_id).length > 0
    },
  })
  events.subscribe(event => {
    if (event.type === 'run-ended' && taskKeyOf(event.run.job) !== undefined) keeper.nudge()
    if (event.type === 'recovered' && event.outcome !== 'told')
      mending.died(event.workerId, event.taskId)
  })
  return {
    name: 'rows of runs',
    async start() {
      await keeper.start()
      await mending.start()
    },
    async stop() {
      await Promise.all([mending.stop(), keeper.stop()])
    },
    status: () => keeper.status(),
    open: (...args) => keeper.open(...args),
  }
}
