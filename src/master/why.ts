import type { Why } from '../api/control.ts'
import type { JobStatus, KnownQueue, QueueStatus, Status } from '../api/status.ts'
import type { Supervisor } from '../features/programs/supervisor.ts'
import { count } from '../lib/count.ts'
import { formatDuration } from '../lib/duration.ts'
import { TaskdError } from '../lib/errors.ts'
import { unknownName } from '../lib/suggest.ts'
import { tellingLine } from '../lib/telling-line.ts'
import type { Job } from '../model/job.ts'
import { whyGivenUp } from '../model/program-deaths.ts'
import type { RestartPolicy } from '../model/program-state.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { RunRecord } from '../model/run-record.ts'
import { taskKeyOf } from '../model/sql-job.ts'
import type { ManagedProgram } from '../supervise/managed-program.ts'
import type { Wanted } from '../supervise/wanted.ts'
import { LEFTOVER } from './child-status.ts'
import type { Journal } from './journal.ts'
import { redisCli } from './redis-cli.ts'
import type { RunLog } from './run-log.ts'
import { embeddedRedisReasons, explainPart, partNames } from './why-parts.ts'

export interface WhyDeps {
  readonly jobs: () => readonly Job[]
  readonly queues: () => readonly QueueSpec[]
  readonly readStatus: () => Promise<Status>
  readonly journal: Journal
  readonly wanted: Wanted
  readonly supervisor: Supervisor
  readonly monotonic: () => number
  readonly lastFailure: RunLog['lastFailure']
}

/**
 * Why something that `taskd status` shows is as it is, who or what made it so, and what comes next.
 * @throws TaskdError E_NO_NAME
 */
export async function explain(name: string, deps: WhyDeps): Promise<Why> {
  const status = await deps.readStatus()
  const child = [...status.workers, ...status.programs].find(one => one.name === name)
  if (child) {
    const history = deps.journal.of(name)
    const since = history.at(-1)?.at ?? ''
    const kind = 'task_key' in child ? 'worker' : 'program'
    const server = 'group' in child && child.group === '' ? embeddedRedisReasons(status) : []
    const reasons = [...childReasons(child, deps), ...server]
    return { name, kind, state: child.state, since, reasons, history }
  }
  const queue = status.queues.find(one => one.task_key === name)
  if (queue) {
    const state = queue.unknown ? 'UNKNOWN' : queue.paused ? 'PAUSED' : 'OPEN'
    const spec = deps.queues().find(one => one.taskKey === name)
    const reasons = queueReasons(queue, status, spec)
    return { name, kind: 'queue', state, since: '', reasons, history: [] }
  }
  const job = status.jobs.find(one => one.name === name)
  if (job?.bad) {
    const reasons = [
      job.held ?? '',
      'taskd looks at the table every two seconds and takes it once it is corrected',
    ]
    return { name, kind: 'job', state: 'BAD', since: '', reasons, history: [] }
  }
  const own = deps.jobs().find(one => one.name === name)
  if (job && own) {
    const state = jobState(job)
    const failed = job.last_code === 'succ' ? undefined : await deps.lastFailure(name)
    const reasons = jobReasons(job, own, status, failed)
    return { name, kind: 'job', state, since: '', reasons, history: [] }
  }
  const part = explainPart(name, status)
  if (part) return part
  const members = status.programs.filter(one => one.group === name.replace(/:\*$/, ''))
  if (members.length > 0)
    throw new TaskdError(
      'E_NO_NAME',
      `${name} is a group`,
      `ask about one of its processes, for instance ${members[0]?.name}`,
    )
  const message = `nothing here is named ${name}`
  throw unknownName('E_NO_NAME', message, name, namesOf(status), hintFor(name, status))
}

function hintFor(name: string, status: Status): string {
  if (isEarly(status) && taskKeyOf(name) !== undefined)
    return 'jobs in SQL are not known until the daemon is ready'
  return '`taskd status` lists them'
}

function isEarly({ state }: Status): boolean {
  return state === 'starting' || state === 'waiting'
}

function namesOf(status: Status): string[] {
  return [
    ...[...status.workers, ...status.programs, ...status.jobs].map(one => one.name),
    ...status.queues.map(one => one.task_key),
    ...partNames(status),
  ]
}

type Child = Status['workers'][number] | Status['programs'][number]

function childReasons(child: Child, deps: WhyDeps): string[] {
  const { name, state, detail, restart_num } = child
  const member = deps.supervisor.members.find(one => one.spec.name === name)
  const wish = deps.wanted.get(name)
  const lines: string[] = []
  const restarts = restart_num === 0 ? '' : `, started again ${times(restart_num)} since`
  switch (state) {
    case 'RUNNING':
      lines.push(`it runs as pid ${child.pid}${restarts}`)
      break
    case 'STARTING':
      lines.push(
        member && child.pid > 0
          ? `it counts as RUNNING when it has lived for ${formatDuration(member.spec.restart.startMs)} (startsecs)`
          : 'its process is being started',
      )
      break
    case 'STOPPED':
      if (wish?.state === 'stopped')
        lines.push(
          `stopped by a person: ${wish.by}, ${wish.at}`,
          `it stays so, over restarts of taskd too, until taskd start ${name}`,
        )
      else if (member && !member.spec.autostart)
        lines.push('autostart is off', `taskd start ${name} starts it`)
      break
    case 'BACKOFF':
    case 'FATAL':
      if (member) lines.push(...deathReasons(member.program, member.spec.restart, deps))
      break
    case 'EXITED':
      lines.push('it ended by itself, and autorestart does not start it again after such an end')
      break
    case 'STOPPING':
      lines.push('it was asked to end and has not yet; KILL follows when its time is over')
      break
  }
  // What somebody's command explains needs no second reason.
  const explained = state === 'STOPPED' && lines.length > 0
  if (detail !== '' && !explained) lines.push(detail)
  if (explained && member?.leftover) lines.push(LEFTOVER)
  if (wish?.state === 'running') lines.push(`wanted by a person: ${wish.by}, ${wish.at}`)
  return lines
}

function deathReasons(program: ManagedProgram, policy: RestartPolicy, deps: WhyDeps): string[] {
  const { quick, deaths, state } = program.program
  const window = formatDuration(policy.windowMs)
  const recent = deaths.filter(at => deps.monotonic() - at < policy.windowMs).length
  if (state.name === 'FATAL') {
    const cause = {
      'quick deaths': `it died before startsecs ${times(quick)} in a row, and startretries allows ${count(policy.maxQuick - 1, 'retry', 'retries')}`,
      'deaths in the window': `it died ${times(policy.maxDeaths)} within ${window} (max_deaths, death_window)`,
      'death on probation': 'it died again on its second chance, the slow retry after FATAL',
    }[whyGivenUp(program.program, policy, state.since) ?? 'deaths in the window']
    const next =
      state.retryAt === undefined
        ? 'only taskd start brings it back (fatal_retry = 0)'
        : `one slow retry comes every ${formatDuration(policy.fatalRetryMs)} (fatal_retry)`
    return [cause, next]
  }
  if (quick === 0) return [`it ends so often that each start waits (${window} death_window)`]
  return [
    `it died before startsecs ${times(quick)} in a row; FATAL comes at ${policy.maxQuick}`,
    `${recent} of ${count(policy.maxDeaths, 'death')} within ${window}`,
  ]
}

function queueReasons(queue: QueueStatus, status: Status, spec?: QueueSpec): string[] {
  const workers = status.workers.filter(one => one.task_key === queue.task_key)
  const busy = workers.filter(one => one.state === 'RUNNING').length
  const here = `${busy} of ${count(workers.length, 'worker')} here ${busy === 1 ? 'is' : 'are'} RUNNING`
  if (queue.unknown)
    return [`Redis is away: ${status.redis.error}`, 'what waits in it is not known meanwhile', here]
  return [
    ...(queue.paused ? [`paused by a person; taskd resume ${queue.task_key} ends it`] : []),
    ...(status.state === 'draining' || status.state === 'drained'
      ? ['this node drains and takes no task; taskd resume ends it']
      : []),
    `${count(queue.waiting, 'task waits', 'tasks wait')}, ${queue.delayed} delayed, ${queue.active} running`,
    queue.mode === 'pull' ? 'a pull queue: agents take its tasks' : here,
    ...listReasons(queue, spec),
    ...badReasons(queue, status),
  ]
}

/** Whole lines of their own, so that they can be copied. */
function badReasons({ task_key, bad }: QueueStatus & KnownQueue, { redis }: Status): string[] {
  if (bad === 0) return []
  const cli = redisCli(redis)
  return [
    `${count(bad, 'message')} could not be understood; to see the newest and why, and to push one again, corrected:`,
    `${cli} --raw LRANGE Task:Bad:${task_key} 0 9`,
    `${cli} LPUSH ${task_key} '{"script": …}'`,
  ]
}

function listReasons(
  { task_key, listed, ...queue }: QueueStatus & KnownQueue,
  spec?: QueueSpec,
): string[] {
  if (listed === 0) return []
  if (listed === null)
    return [`the Redis key ${task_key} is no list, so nobody can LPUSH to it: RENAME or DEL it`]
  const why = fullReason(queue, spec) ?? 'they are not taken in yet'
  return [`messages in the list ${task_key}: ${listed}; ${why}`]
}

function fullReason(
  { waiting, delayed }: Pick<KnownQueue, 'waiting' | 'delayed'>,
  spec: QueueSpec | undefined,
): string | undefined {
  if (spec === undefined) return undefined
  const { capacity } = spec
  if (waiting >= capacity) return `the queue is full (capacity = ${capacity})`
  if (delayed >= capacity)
    return `so many wait for their start_time that no more such are taken (capacity = ${capacity})`
  return undefined
}

function jobState({ enabled, held }: JobStatus): string {
  if (!enabled) return 'DISABLED'
  if (held === null) return 'UNKNOWN'
  return held === '' ? 'SCHEDULED' : 'PAUSED'
}

function jobReasons(
  job: JobStatus,
  own: Job,
  status: Status,
  failed: Awaited<ReturnType<RunLog['lastFailure']>>,
): string[] {
  const { held, failures } = job
  if (held === null || failures === null)
    return [
      ...ticksWait(status),
      job.enabled ? '' : (held ?? ''),
      'whether it is paused, and what it did last, is not known meanwhile',
      `overlap = ${own.overlap}, misfire = ${own.misfire}`,
    ]
  const queue = status.queues.find(one => one.task_key === job.task_key)
  return [
    ...ticksWait(status),
    job.as_of === undefined ? '' : `what follows was last known at ${job.as_of}`,
    held === '' ? 'it is enabled' : held,
    job.enabled && held !== '' ? `taskd resume ${job.name} lets it go on` : '',
    nextReason(job, status),
    lastReason(job),
    failures > 0 ? `${count(failures, 'failure')} in a row${pauseRule(own)}` : '',
    failed === undefined
      ? ''
      : failed === 'unknown'
        ? 'why it failed last is not known while Redis does not answer'
        : failureReason(failed),
    `overlap = ${own.overlap}, misfire = ${own.misfire}`,
    queue?.paused ? `its queue ${job.task_key} is paused: its tasks wait there` : '',
  ].filter(line => line !== '')
}

function nextReason({ next, held }: JobStatus, status: Status): string {
  if (next !== null) return `next due at ${next}`
  if (held !== '') return ''
  return isEarly(status)
    ? 'when it is next due is not known until the daemon is ready'
    : 'it never comes due again'
}

function lastReason({ last, last_by, last_code, last_state, last_since }: JobStatus): string {
  if (last === null && last_state === 'unknown') return 'what it did last is not known'
  if (last === null) return 'it has made no task yet'
  const what = last_by === 'hand' ? `last run by hand ${last}` : `last tick ${last}`
  switch (last_state) {
    case 'running':
      return `${what}, whose run goes on${last_since === null ? '' : ` since ${last_since}`}`
    case 'waiting':
      return `${what}, whose task waits on its queue`
    case 'ended':
      return `${what}: ${last_code}`
    case 'unknown':
    case '':
      return `${what}; how its run went is not known`
  }
}

function ticksWait({ redis }: Status): string[] {
  if (redis.ok) return []
  return [`Redis is ${redis.full ? 'full' : 'away'}, and ticks wait for it: ${redis.error}`]
}

function failureReason({
  kind,
  code,
  msg,
  attempt,
  end_runtime,
  unique_task_id,
}: RunRecord): string {
  const what = kind === 'answer' || kind === '' ? code : kind
  const tried = attempt > 1 ? `, attempt ${attempt}` : ''
  const line = tellingLine(msg)
  const said = line === '' ? '' : `: ${line.slice(0, 300)}`
  return `its last failure at ${end_runtime} (${unique_task_id}${tried}): ${what}${said}`
}

function pauseRule({ pauseOnFailures }: Job): string {
  return pauseOnFailures === 0 ? '' : `; it is paused at ${pauseOnFailures} (pause_on_failures)`
}

function times(number: number): string {
  return number === 1 ? 'once' : `${number} times`
}
