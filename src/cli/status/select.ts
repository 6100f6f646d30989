import type { Status } from '../../api/control.ts'

export interface Selected {
  readonly status: Status
  /** Names that nothing has. */
  readonly unknown: readonly string[]
  /** Every name there is, for "did you mean". */
  readonly known: readonly string[]
}

/**
 * What was asked for by name. A queue's name means its workers too, a group's its processes, also as
 * `group:*`. No names, or `all`: everything.
 */
export function select(status: Status, names: readonly string[]): Selected {
  const { workers, programs, queues, jobs } = status
  const taskKeys = queues.map(queue => queue.task_key)
  const others = [...workers, ...programs, ...jobs].map(one => one.name)
  const groups = programs.map(one => one.group).filter(group => group !== '')
  const known = [...new Set([...taskKeys, ...groups, ...others])]
  if (names.length === 0 || names.includes('all')) return { status, unknown: [], known }
  const wanted = new Set(names.map(name => name.replace(/:\*$/, '')))
  return {
    status: {
      ...status,
      workers: workers.filter(one => wanted.has(one.name) || wanted.has(one.task_key)),
      programs: programs.filter(one => wanted.has(one.name) || wanted.has(one.group)),
      queues: queues.filter(one => wanted.has(one.task_key)),
      jobs: jobs.filter(one => wanted.has(one.name)),
    },
    unknown: [...wanted].filter(name => !known.includes(name)),
    known,
  }
}

const DOWN: readonly string[] = ['STOPPED', 'BACKOFF', 'FATAL']

/** A one-shot that has finished (EXITED) is not down, nor is what starts or stops right now. */
export function isDown(status: Status, named: boolean): boolean {
  if ([...status.workers, ...status.programs].some(one => DOWN.includes(one.state))) return true
  return !named && !(status.redis.ok && status.database.ok)
}
