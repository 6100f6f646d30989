import type { Why } from '../api/control.ts'
import { DOWN_STATES, STATE_MEANS } from '../api/daemon-states.ts'
import type { HealthReport, Status } from '../api/status.ts'
import { count } from '../lib/count.ts'

/** Explains what is not a process, queue or job: the daemon, its servers, and the sections of features. */
export function explainPart(name: string, status: Status): Why | undefined {
  const part = partsOf(status).find(one => one.name === name || `${one.kind}:${one.name}` === name)
  const told = (kind: Why['kind'], state: string, since: string, reasons: readonly string[]) => {
    const lines = reasons.filter(line => line !== '')
    return { name: part?.name ?? name, kind, state, since, reasons: lines, history: [] }
  }
  if (name === 'taskd') return told('daemon', status.state.toUpperCase(), '', daemonReasons(status))
  if (!part) return undefined
  const { ok, error, since } = part.health
  // The first to be asked is Redis.
  if (ok === null) return told(part.kind, 'UNKNOWN', '', part.reasons)
  return told(part.kind, part.state, since, [ok ? '' : error || 'no answer', ...part.reasons])
}

/** For "did you mean". */
export function partNames(status: Status): string[] {
  return ['taskd', ...partsOf(status).map(one => one.name)]
}

/** The reasons behind the exit code of `taskd status`, and what to ask next. */
function daemonReasons(status: Status): string[] {
  const { state, pid, version, node, config, redis, database } = status
  const down = [...status.workers, ...status.programs].filter(one =>
    DOWN_STATES.includes(one.state),
  )
  const wrong = [
    redis.ok
      ? ''
      : `${redis.full ? 'Redis is' : 'Redis is away:'} ${redis.error || 'no answer'}; taskd why redis`,
    database.ok !== false ? '' : `the database is away: ${database.error}; taskd why database`,
    ...down.map(one => `${one.name} is ${one.state}; taskd why ${one.name}`),
  ].filter(line => line !== '')
  return [
    `taskd ${version} runs as pid ${pid}, node ${node}, with ${config}`,
    STATE_MEANS[state],
    ...(wrong.length > 0 ? wrong : ['nothing is down']),
  ]
}

function redisReasons({ redis }: Status): string[] {
  return [...conditionOf(redis), ...emptiedReasons(redis)]
}

/** The embedded Redis may be RUNNING, as a process is, and not answer. */
export function embeddedRedisReasons(status: Status): string[] {
  const { ok, full, error, since } = status.redis
  const trouble = full ? `it is ${error}` : `it has been away since ${since}: ${error}`
  return [...(ok ? [] : [trouble]), ...redisReasons(status)]
}

function emptiedReasons({ emptied }: Status['redis']): string[] {
  if (emptied === null) return []
  return [
    `it lost its data at ${emptied}: what waited in it is gone`,
    'taskd has put pauses back; the log says which; this is shown for a day',
    'a Redis of your own keeps it over a restart with appendonly yes in redis.conf',
  ]
}

function conditionOf(redis: Status['redis']): string[] {
  const at = redis.servers.length === 0 ? '' : `, now ${redis.servers.join(', ')}`
  const address = `its address is ${redis.url}${at}`
  if (redis.ok) return [`it answers, version ${redis.version}`, address]
  if (redis.full)
    return [
      address,
      'what waits is worked off: tasks are taken from it and settled, and with each it gets emptier',
      'nothing new comes in meanwhile: push is refused, ticks wait, and lists are taken in slowly',
      'results of tasks that are done are forgotten, the oldest first, to make room',
      'give it more: redis-cli CONFIG SET maxmemory …, and the same in redis.conf',
    ]
  return [
    address,
    'taskd goes on trying; tasks and ticks wait for it, programs do not',
    'taskd doctor looks closer',
  ]
}

interface Part {
  readonly name: string
  readonly kind: Why['kind']
  readonly state: string
  readonly health: Omit<HealthReport, 'ok'> & { readonly ok: boolean | null }
  readonly reasons: readonly string[]
}

function partsOf(status: Status): Part[] {
  const { redis, database, parts } = status
  return [
    {
      name: 'redis',
      kind: 'server',
      state: redis.ok ? 'OPEN' : redis.full ? 'FULL' : 'AWAY',
      health: redis,
      reasons: redisReasons(status),
    },
    {
      name: 'database',
      kind: 'server',
      state: database.ok ? 'OPEN' : 'AWAY',
      health: database,
      reasons: databaseReasons(status),
    },
    ...parts.map(one => ({
      name: one.name,
      kind: one.kind,
      state: one.state,
      health: one,
      reasons: one.reasons,
    })),
  ]
}

const NOT_KNOWN = 'not known while Redis does not answer'

function databaseReasons({ database, sql_jobs }: Status): string[] {
  const { url, ok, backlog, archived } = database
  const address = `its address is ${url}`
  if (ok === null) return [address, 'it is first asked when Redis answers']
  return [
    address,
    backlog === null
      ? `how many failed runs wait in Redis for it is ${NOT_KNOWN}`
      : backlog > 0
        ? `${count(backlog, 'failed run waits', 'failed runs wait')} in Redis for it`
        : '',
    `since the start: ${count(archived, 'failed run')} written`,
    sql_jobs.ok || !ok ? '' : `the table of jobs cannot be read: ${sql_jobs.error}`,
  ]
}
