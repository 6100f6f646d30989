import { STATE_MEANS } from '../../api/daemon-states.ts'
import type { JobStatus, QueueStatus, Status, WorkerStatus } from '../../api/status.ts'
import { count } from '../../lib/count.ts'
import { lastRunText } from '../last-run.ts'
import { clean } from '../render.ts'
import { formatUptime, shortTime } from '../times.ts'

/** One line of `taskd status`. */
export interface Row {
  readonly name: string
  readonly state: string
  readonly tone: 'good' | 'bad' | 'between' | 'idle'
  readonly detail: string
}

/** Daemon-wide problems come first, then a line for each part. */
export function rowsOf(status: Status, named: boolean, nowMs: number): Row[] {
  return [
    ...(named
      ? []
      : [...daemonRow(status), ...healthRows(status, nowMs), ...nodeRows(status, nowMs)]),
    ...status.workers.map(worker => childRow(worker)),
    ...status.programs.map(program => childRow(program)),
    ...status.queues.map(queue => queueRow(queue)),
    ...status.jobs.map(job => jobRow(job, NOT_READY.includes(status.state), nowMs)),
    ...status.parts.map(one => partRow(one, nowMs)),
  ]
}

const NOT_READY: readonly Status['state'][] = ['starting', 'waiting']

function daemonRow({ state, pid, uptime_s }: Status): Row[] {
  if (state === 'running') return []
  const detail = `${pidAndUptime(pid, uptime_s)}, ${STATE_MEANS[state]}`
  return [{ name: 'taskd', state: state.toUpperCase(), tone: 'between', detail }]
}

function healthRows({ redis, database, sql_jobs, programs }: Status, nowMs: number): Row[] {
  const away = (name: string, { error, since }: { error: string; since: string }, more: string) => {
    const detail = clean(`since ${shortTime(since, nowMs)}: ${error || 'no answer'}${more}`)
    return { name, state: 'AWAY', tone: 'bad', detail } as const
  }
  // The Redis that taskd runs itself is a program of the same name.
  const name = programs.some(one => one.name === 'redis') ? 'redis server' : 'redis'
  const words = clean(`since ${shortTime(redis.since, nowMs)}: ${redis.error}`)
  const full = { name, state: 'FULL', tone: 'bad', detail: words } as const
  const emptied = {
    name,
    state: 'EMPTIED',
    tone: 'between',
    detail: `since ${shortTime(redis.emptied ?? '', nowMs)}: it has lost its data; what waited in it is gone`,
  } as const
  const waiting = database.backlog ?? 0
  const backlog = waiting === 0 ? '' : `; ${count(waiting, 'failed run')} wait in Redis for it`
  return [
    ...(redis.ok ? [] : [redis.full ? full : away(name, redis, '')]),
    ...(redis.emptied === null ? [] : [emptied]),
    ...(database.ok !== false ? [] : [away('database', database, backlog)]),
    ...(sql_jobs.ok || database.ok === false ? [] : [away('table of jobs', sql_jobs, '')]),
  ]
}

const NODE_MEANS = {
  gone: 'no sign of life; its tasks go to other nodes',
  fenced: 'cannot reach Redis; its runs have ended before other nodes take their tasks',
  unknown: 'not known while Redis is away',
}

/** Nodes that are well have no line. */
function nodeRows({ nodes = [] }: Status, nowMs: number): Row[] {
  return nodes.flatMap(({ name, state, since }) => {
    if (state === 'alive') return []
    const began = since === null ? '' : `since ${shortTime(since, nowMs)}: `
    const detail = `${began}${NODE_MEANS[state]}`
    const tone = state === 'unknown' ? 'between' : 'bad'
    return { name: `node ${clean(name)}`, state: state.toUpperCase(), tone, detail } as const
  })
}

type Child = Omit<Status['programs'][number], 'group' | 'dropped'> &
  Partial<Pick<WorkerStatus, 'running_task'>>

function childRow(child: Child): Row {
  const { name, state, pid, uptime_s, running_task = 0, detail } = child
  const parts = [
    pid > 0 ? pidAndUptime(pid, uptime_s) : '',
    running_task > 0 ? `${running_task} running` : '',
    detail,
  ].filter(part => part !== '')
  return { name: clean(name), state, tone: toneOf(state), detail: clean(parts.join(', ')) }
}

function toneOf(state: Child['state']): Row['tone'] {
  switch (state) {
    case 'RUNNING':
      return 'good'
    case 'BACKOFF':
    case 'FATAL':
      return 'bad'
    case 'STARTING':
    case 'STOPPING':
      return 'between'
    case 'STOPPED':
    case 'EXITED':
      return 'idle'
  }
}

function queueRow(queue: QueueStatus): Row {
  const { task_key, mode } = queue
  if (queue.unknown) {
    const detail = `${mode} queue, not known while Redis is away`
    return { name: clean(task_key), state: 'UNKNOWN', tone: 'between', detail }
  }
  const { listed, waiting, delayed, active, bad, paused } = queue
  const counts = Object.entries({ delayed, active, [`bad (taskd why ${task_key})`]: bad })
    .filter(([, number]) => number > 0)
    .map(([what, number]) => `${number} ${what}`)
  // An older daemon does not report it.
  const list =
    listed === null ? ['its key is no list'] : listed > 0 ? [`${listed} in the list`] : []
  const detail = [`${mode} queue`, `${waiting} waiting`, ...counts, ...list].join(', ')
  const state = paused ? 'PAUSED' : 'OPEN'
  const tone = paused || bad > 0 || listed === null ? 'between' : 'good'
  return { name: clean(task_key), state, tone, detail }
}

function jobRow(job: JobStatus, starting: boolean, nowMs: number): Row {
  const { enabled, held, next, failures, as_of } = job
  if (held === null) {
    const detail = 'not known while Redis is away'
    return { name: clean(job.name), state: 'UNKNOWN', tone: 'between', detail }
  }
  if (starting && held === '' && next === null) {
    const detail = 'not known until the daemon is ready'
    return { name: clean(job.name), state: 'UNKNOWN', tone: 'between', detail }
  }
  const parts = [
    held === '' || !enabled ? '' : held,
    next === null ? (held === '' ? 'no next run' : '') : `next ${shortTime(next, nowMs)}`,
    lastRunText(job, nowMs),
    failures ? `${count(failures, 'failure')} in a row` : '',
    as_of ? `as of ${shortTime(as_of, nowMs)}` : '',
  ].filter(part => part !== '')
  const [state, tone] = jobState(job)
  return { name: clean(job.name), state, tone, detail: clean(parts.join(', ')) }
}

function jobState({ bad, enabled, held, next, failures }: JobStatus): [string, Row['tone']] {
  if (bad) return ['BAD', 'bad']
  if (!enabled) return ['DISABLED', 'idle']
  if (held !== '') return ['PAUSED', 'between']
  // Its date is over, or only a start of the daemon makes it run.
  if (next === null) return ['IDLE', 'idle']
  return ['SCHEDULED', failures ? 'between' : 'good']
}

/** A section of a feature: a channel, a relay, … */
function partRow(part: Status['parts'][number], nowMs: number): Row {
  const { name, state, ok, warning, error, since, what, details } = part
  const trouble = ok === false ? [`since ${shortTime(since, nowMs)}: ${error}`] : []
  const tone = ok === false ? 'bad' : ok === null || warning ? 'between' : 'good'
  return {
    name: clean(name),
    state,
    tone,
    detail: clean([what, ...trouble, ...details].join(', ')),
  }
}

function pidAndUptime(pid: number, uptime: number): string {
  return `pid ${pid}, uptime ${formatUptime(uptime)}`
}
