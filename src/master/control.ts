import type { NotifyControl } from '../api/notify-port.ts'
import type { ScheduleControl } from '../api/schedule-port.ts'
import type { SqlJobsPort } from '../api/sql-jobs-port.ts'
import type { RedisHealthStatus } from '../monitor/redis-health.ts'
import { asked, askedToTake, redisFull } from './asked.ts'
import type { Daemon } from './daemon.ts'
import type { DataMark } from './data-mark.ts'
import type { DoorDaemon } from './door-parts.ts'
import type { Engine } from './engine.ts'
import type { ProcessControl } from './process-control.ts'
import { refuseRestart, type Start } from './started-by.ts'
import type { TaskControl } from './task-control.ts'
import type { Views } from './views.ts'

export interface ControlParts {
  readonly daemon: Daemon
  readonly engine: Pick<Engine, 'require'>
  readonly processes: ProcessControl
  readonly tasks: TaskControl
  readonly schedule: ScheduleControl
  readonly sqlJobs: SqlJobsPort
  readonly notices: NotifyControl
  readonly views: Views
  readonly start: Start
  readonly dataMark: Pick<DataMark, 'changed'>
  readonly health: () => Pick<RedisHealthStatus, 'full' | 'error'>
}

/** What the API may ask of the daemon: each question goes to the part that knows. */
export function controlOf(parts: ControlParts): DoorDaemon {
  const { daemon, engine, processes, sqlJobs, notices, views } = parts
  // They write to Redis, which has to have been there once.
  const tasks = () => {
    engine.require()
    return parts.tasks
  }
  // A full Redis drains; new tasks must not fill it up again.
  const roomy = () => {
    const { full, error } = parts.health()
    if (full) throw redisFull(error)
    return tasks()
  }
  const schedule = () => {
    engine.require()
    return parts.schedule
  }
  return {
    get state() {
      return daemon.state
    },

    status: views.status,
    why: views.why,
    plan: () => daemon.plan(),
    reload: () => daemon.reload(),
    drain: async () => daemon.drain(),
    async shutdown({ hurry, kill, restart }) {
      const refused = restart ? refuseRestart(parts.start) : undefined
      if (refused) throw refused
      void daemon.stop('asked over the control socket')
      if (kill) daemon.kill()
      else if (hurry) daemon.hurry()
    },

    change: (...args) => processes.change(...args),
    signal: (...args) => processes.signal(...args),
    scale: (...args) => processes.scale(...args),
    tail: (...args) => asked(() => views.tail(...args)),

    push: (...args) => askedToTake(() => roomy().push(...args)),
    runJob: (...args) => askedToTake(() => roomy().runJob(...args)),
    retry: (...args) => asked(() => tasks().retry(...args)),
    cancel: id => asked(() => tasks().cancel(id)),
    runs: query => asked(() => views.runLog.runs(query)),
    fails: query => parts.tasks.fails(query),
    async setPaused(names, paused) {
      if (names.length === 0 && !paused) await daemon.endDrain()
      await asked(() => tasks().setPaused(names, paused))
      await parts.dataMark.changed()
      return names.map(name => ({ name, paused }))
    },

    backfill: (...args) => asked(() => schedule().backfill(...args)),
    cursor: name => asked(() => schedule().cursor(name)),
    setCursor: (...args) => asked(() => schedule().setCursor(...args)),

    listSqlJobs: () => sqlJobs.listSqlJobs(),
    addSqlJob: row => sqlJobs.addSqlJob(row),
    changeSqlJob: change => sqlJobs.changeSqlJob(change),
    sqlJobHistory: query => sqlJobs.sqlJobHistory(query),

    testNotify: name => notices.testNotify(name),
  }
}
