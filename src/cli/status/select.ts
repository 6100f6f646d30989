import { DOWN_STATES } from '../../api/daemon-states.ts'
import type { Status } from '../../api/status.ts'
import type { TaskdError } from '../../lib/errors.ts'
import { unknownName } from '../../lib/suggest.ts'

export interface Selected {
  readonly status: Status
  /** One for each unknown name. */
  readonly unknown: readonly TaskdError[]
}

/**
 * What was asked for by name. A queue's name means its workers too, a group's its processes, also as
 * `group:*`. No names, or `all`: everything.
 */
export function select(status: Status, names: readonly string[]): Selected {
  const { workers, programs, queues, jobs, parts } = status
  const taskKeys = queues.map(queue => queue.task_key)
  const others = [...workers, ...programs, ...jobs, ...parts].map(one => one.name)
  const groups = programs.map(one => one.group).filter(group => group !== '')
  const known = [...new Set([...taskKeys, ...groups, ...others])]
  if (names.length === 0 || names.includes('all')) return { status, unknown: [] }
  const wanted = new Set(names.map(name => name.replace(/:\*$/, '')))
  return {
    status: {
      ...status,
      workers: workers.filter(one => wanted.has(one.name) || wanted.has(one.task_key)),
      programs: programs.filter(one => wanted.has(one.name) || wanted.has(one.group)),
      queues: queues.filter(one => wanted.has(one.task_key)),
      jobs: jobs.filter(one => wanted.has(one.name)),
      parts: parts.filter(one => wanted.has(one.name)),
      ...listsOf(status, wanted),
    },
    unknown: [...wanted].filter(name => !known.includes(name)).map(name => noSuchName(name, known)),
  }
}

function noSuchName(name: string, known: readonly string[]): TaskdError {
  const otherwise = 'taskd status shows them all'
  return unknownName('E_NO_NAME', `no such name: ${name}`, name, known, otherwise)
}

/** A one-shot that has finished (EXITED) is not down, nor is what starts or stops right now. */
export function isDown(status: Status, named: boolean): boolean {
  if ([...status.workers, ...status.programs].some(one => DOWN_STATES.includes(one.state)))
    return true
  const lonely = status.nodes?.some(one => one.state !== 'alive') ?? false
  return !named && (lonely || !(status.redis.ok && status.database.ok !== false))
}

/** What features say of their sections in lists of their own, of those that are wanted. */
function listsOf(status: Status, wanted: ReadonlySet<string>) {
  const lists = status.parts.map(one => one.list)
  return Object.fromEntries(
    [...new Set(lists)].map(list => [
      list,
      status[list].filter((one: { readonly name: string }) => wanted.has(one.name)),
    ]),
  )
}
