import { setImmediate as breathe } from 'node:timers/promises'
import type { Backfilled, BackfillRequest, BackfillTick } from '../api/schedule-port.ts'
import type { Clock } from '../lib/clock.ts'
import { count } from '../lib/count.ts'
import { TaskdError } from '../lib/errors.ts'
import type { Job } from '../model/job.ts'
import { toPullTask } from '../model/pull-message.ts'
import type { Task } from '../model/task.ts'
import { isAway } from '../queue/connection.ts'
import { formatInstant } from '../schedule/format.ts'
import { noteAt } from '../schedule/next-times.ts'
import { tickId, ticksBetween, tickTask } from '../schedule/ticks.ts'
import { instantOf, type JobsByName, requireJob } from './find-job.ts'
import { type KnownTasksDeps, knownTasks, specOfQueue } from './known-tasks.ts'
import { full } from './room.ts'

export interface BackfillDeps extends KnownTasksDeps, JobsByName {
  readonly clock: Clock
  readonly stopping: AbortSignal
}

/** The lowest: everything else in the queue comes first. */
const PRIORITY = 9
/** Ticks counted, or written out, before others have a turn. */
const CHUNK = 1000
/** Tasks handed in at once: Redis does nothing else meanwhile. */
const BATCH = 200
/** Counting ticks that are too many stops here. */
const COUNT_LIMIT = 1_000_000

/** Makes the tasks of past ticks. */
export async function backfill(
  deps: BackfillDeps,
  request: BackfillRequest,
  signal: AbortSignal,
): Promise<Backfilled> {
  const job = await requireJob(deps, request.job)
  const { taskKey } = job.task
  const { from, to } = rangeOf(job, request, deps.clock.now())
  const ticks = await ticksOf(job, from, to, request.limit)
  const idOf = (tick: number) =>
    request.again === ''
      ? tickId(job.name, tick)
      : `${tickId(job.name, tick)}-again-${request.again}`
  const known = await knownTasks(deps, taskKey, ticks.map(idOf))
  const fresh = ticks.filter((_, n) => !known[n])
  const made = request.dry_run ? 0 : await add(deps, job, fresh, idOf, request, signal)
  return {
    job: job.name,
    task_key: taskKey,
    from: formatInstant(from, job.timezone),
    to: formatInstant(to, job.timezone),
    dry_run: request.dry_run,
    again: request.again,
    count: ticks.length,
    known: ticks.length - fresh.length,
    made,
    ticks: request.dry_run ? await described(job, ticks, known, idOf) : [],
  }
}

function rangeOf(job: Job, request: BackfillRequest, now: number) {
  const { name, trigger } = job
  if (trigger.kind === 'date') throw refused(`${name} has one date and no ticks`, name)
  if (trigger.kind === 'reboot') throw refused(`${name} runs at boot and has no ticks`, name)
  const from = instantOf(request.from, job, '--from')
  const to = request.to === '' ? now : instantOf(request.to, job, '--to')
  const show = (at: number) => formatInstant(at, job.timezone)
  if (to > now)
    throw new TaskdError(
      'E_BAD_REQUEST',
      `--to ${show(to)} is still to come`,
      'leave --to out: what comes from now on runs by itself',
    )
  if (from > to)
    throw new TaskdError(
      'E_BAD_REQUEST',
      `--from ${show(from)} is after --to ${show(to)}`,
      'a time without an offset is one of the zone of the job',
    )
  return { from, to }
}

function refused(message: string, name: string): TaskdError {
  return new TaskdError('E_BAD_REQUEST', message, `taskd run ${name} runs it now`)
}

async function ticksOf(job: Job, from: number, to: number, limit: number): Promise<number[]> {
  const found: number[] = []
  let count = 0
  for (let after = from; count < COUNT_LIMIT; ) {
    const some = ticksBetween(job, after, to, CHUNK)
    count += some.length
    if (count <= limit) found.push(...some)
    if (some.length < CHUNK) break
    after = (some.at(-1) ?? to) + 1
    await breathe()
  }
  if (count <= limit) return found
  const more = count >= COUNT_LIMIT ? 'at least ' : ''
  throw new TaskdError(
    'E_BAD_REQUEST',
    `${job.name} has ${more}${count} ticks in this time, and the limit is ${limit}`,
    'take a shorter time, or a higher --limit',
  )
}

async function add(
  { config, queues, feed, stopping }: BackfillDeps,
  job: Job,
  ticks: readonly number[],
  idOf: (tick: number) => string,
  { again }: BackfillRequest,
  signal: AbortSignal,
): Promise<number> {
  const { taskKey } = job.task
  const spec = specOfQueue(config.current, taskKey)
  const isPull = spec?.mode === 'pull'
  if (spec && ticks.length > 0) {
    const waiting = isPull ? await feed.waiting(taskKey) : (await queues.counts(taskKey)).waiting
    if (waiting + ticks.length > spec.capacity) throw full(taskKey, waiting)
  }
  const priority = Math.max(job.task.priority, PRIORITY)
  const taskOf = (tick: number): Task => ({ ...tickTask(job, tick, idOf(tick)), priority })
  for (let made = 0; made < ticks.length; made += BATCH) {
    const tasks = ticks.slice(made, made + BATCH).map(taskOf)
    const so = `${made} of ${count(ticks.length, 'task')} were made`
    if (signal.aborted || stopping.aborted) throw new TaskdError('E_STOPPING', so, once(again))
    try {
      if (spec && isPull) await feed.addOnce(spec, tasks.map(toPullTask))
      else await queues.add(taskKey, tasks)
    } catch (error) {
      if (!isAway(error)) throw error
      throw new TaskdError('E_REDIS_AWAY', `Redis went away when ${so}`, once(again))
    }
  }
  return ticks.length
}

/** Tasks that were made are known by then, so none is made twice. */
function once(again: string): string {
  const flag = again === '' ? '' : ` with --again ${again}`
  return `give the same command once more${flag}: it makes the rest`
}

async function described(
  job: Job,
  ticks: readonly number[],
  known: readonly boolean[],
  idOf: (tick: number) => string,
): Promise<BackfillTick[]> {
  const rows: BackfillTick[] = []
  for (const [n, tick] of ticks.entries()) {
    if (n % CHUNK === CHUNK - 1) await breathe()
    rows.push({
      at: formatInstant(tick, job.timezone),
      unique_task_id: idOf(tick),
      known: known[n] === true,
      note: noteAt(job.trigger, job.timezone, tick),
    })
  }
  return rows
}
