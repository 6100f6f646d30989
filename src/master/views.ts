import type { Control } from '../api/control.ts'
import type { FailLog } from '../failures/fail-log.ts'
import { programTail } from '../features/programs/tail.ts'
import type { Events } from '../model/events.ts'
import type { Wanted } from '../supervise/wanted.ts'
import { Journal } from './journal.ts'
import { RunLog } from './run-log.ts'
import { readStatus, type StatusDeps } from './status.ts'
import { tailOf } from './tail.ts'
import { runTail, workerTail } from './tail-runs.ts'
import { explain } from './why.ts'

export interface ViewParts extends Omit<StatusDeps, 'startedAt' | 'startedWall'> {
  readonly events: Events
  readonly wanted: Wanted
  readonly failLog: FailLog
}

export interface Views {
  readonly status: Control['status']
  readonly why: Control['why']
  readonly tail: Control['tail']
  readonly runLog: RunLog
}

/** The calls that only look: status, why, output, history. */
export function buildViews(parts: ViewParts): Views {
  const { config, jobs, engine, supervisor, clock, events, wanted, failLog, redis, asking } = parts
  const statusDeps: StatusDeps = {
    ...parts,
    startedAt: clock.monotonic(),
    startedWall: clock.now(),
  }
  const status = () => readStatus(statusDeps)
  const runLog = new RunLog({ config, jobs, redis, failLog })
  const whyDeps = {
    lastFailure: (job: string) => runLog.lastFailure(job),
    jobs,
    queues: () => config.current.queues,
    readStatus: status,
    journal: new Journal(events, clock),
    wanted,
    supervisor,
    monotonic: () => clock.monotonic(),
  }
  const tailDeps = {
    engine,
    taskKeys: () => config.current.queues.map(queue => queue.taskKey),
    queues: asking.queues,
    runLog,
    clock,
  }
  const sources = [programTail(supervisor, clock), workerTail(tailDeps), runTail(tailDeps)]
  const names = {
    names: () => [
      ...supervisor.members.map(one => one.spec.name),
      ...engine.members.map(one => one.program.name),
    ],
    jobs: () => jobs().map(job => job.name),
  }
  return {
    status,
    why: name => explain(name, whyDeps),
    tail: (...args) => tailOf(sources, args, names),
    runLog,
  }
}
