import { existsSync } from 'node:fs'
import type { JobStatus } from '../../api/status.ts'
import { readRunTime } from '../../config/run-time.ts'
import { realClock } from '../../lib/clock.ts'
import { TaskdError } from '../../lib/errors.ts'
import { unknownName } from '../../lib/suggest.ts'
import type { Job, Trigger } from '../../model/job.ts'
import { taskKeyOf } from '../../model/sql-job.ts'
import { checkTrigger } from '../../schedule/check.ts'
import { formatInstant } from '../../schedule/format.ts'
import { upcoming } from '../../schedule/next-times.ts'
import { type Command, type Context, type Options, text } from '../context.ts'
import { EXIT, usageError } from '../exit.ts'
import { readTime } from '../from-time.ts'
import { readConfig, requireConfig } from '../load.ts'
import { wholeNumber } from '../numbers.ts'
import { table } from '../render.ts'

interface Schedule {
  readonly name: string
  readonly trigger: Trigger
  readonly timezone: string
}

/** Only reads: it needs no daemon, and asks one that runs. */
export const run: Command = async (context, [name], options) => {
  const { out } = context
  const { schedules, functions } = schedulesOf(context, name, options)
  const one = name !== undefined || options['cron'] !== undefined
  const count = wholeNumber(text(options, 'count') ?? (one ? '5' : '1'), '--count', 1, 10_000)
  const from = text(options, 'from')
  const zone = schedules[0]?.timezone ?? 'UTC'
  const after = from === undefined ? realClock.now() : readTime(from, zone) - 1
  const jobs = await toldJobs(context, schedules)
  const told = from === undefined ? nextOf(jobs) : NOTHING_TOLD
  const rows = schedules
    .flatMap(schedule => {
      const { name, trigger, timezone } = schedule
      const first = firstOf(schedule, told.get(name), after)
      return upcoming(trigger, timezone, first?.after ?? after, count, first?.anchor).map(
        ({ at, note }) => ({
          instant: at,
          row: { job: name, at: formatInstant(at, timezone), note },
        }),
      )
    })
    .toSorted((a, b) => a.instant - b.instant)
    .map(({ row }) => row)
  if (options['json']) out.json(rows)
  else {
    for (const line of table(
      rows.map(row => [row.at, ...(row.job === '' ? [] : [row.job]), row.note]),
    ))
      out.line(line)
    sayWhatNeverComes(schedules, new Set(rows.map(row => row.job)), context)
    sayWhatIsHeld(schedules, jobs, context)
    if (functions !== undefined && existsSync(functions))
      out.note('jobs in SQL are not among these: taskd task list')
  }
  return EXIT.ok
}

const NOTHING_TOLD: ReadonlyMap<string, number> = new Map()

/** Jobs as the running daemon has them; none without a daemon. */
async function toldJobs(
  { daemon }: Context,
  schedules: readonly Schedule[],
): Promise<readonly JobStatus[]> {
  if (schedules.every(({ name }) => name === '')) return []
  const status = await daemon()
    .then(control => control.status())
    .catch(() => undefined)
  return status?.jobs ?? []
}

/** Their next ticks; while its clock is set back, some that come again do not run. */
function nextOf(jobs: readonly JobStatus[]): ReadonlyMap<string, number> {
  return new Map(
    jobs.flatMap(({ name, next }) => (next === null ? [] : [[name, Date.parse(next)]])),
  )
}

/**
 * The daemon's answer counts if the schedule in the file, which it may not have read yet, has that
 * tick.
 */
function firstOf({ trigger, timezone }: Schedule, told: number | undefined, now: number) {
  if (told === undefined || told <= now) return undefined
  if (trigger.kind === 'interval')
    return told - now <= trigger.everyMs ? { after: told - 1, anchor: told } : undefined
  const [at] = upcoming(trigger, timezone, told - 1, 1)
  return at?.at === told ? { after: told - 1 } : undefined
}

interface Found {
  readonly schedules: readonly Schedule[]
  /** Of all jobs: the folder of functions, without which there are none in SQL. */
  readonly functions?: string
}

function schedulesOf(context: Context, name: string | undefined, options: Options): Found {
  const expression = text(options, 'cron')
  const timezone = text(options, 'timezone')
  if (expression !== undefined) {
    if (name !== undefined) throw usageError('next takes a job or --cron, not both')
    return { schedules: [fromExpression(expression, timezone ?? zoneOf(context))] }
  }
  if (timezone !== undefined) throw usageError('--timezone goes with --cron; a job has its own')
  const { jobs, settings } = requireConfig(context)
  if (name === undefined)
    return { schedules: jobs.filter(job => job.enabled), functions: settings.tasks }
  const job = jobs.find(one => one.name === name)
  if (job === undefined) throw noJob(name, jobs)
  if (!job.enabled) context.out.note(`${name} has enabled = false: it would run at these times`)
  return { schedules: [job] }
}

function fromExpression(expression: string, timezone: string): Schedule {
  const read = readRunTime('cron', expression.trim())
  if (!read.ok) throw usageError(`--cron ${read.reason}`, read.hint)
  const { problem } = checkTrigger(read.value, timezone)
  if (problem !== undefined) throw usageError(problem)
  return { name: '', trigger: read.value, timezone }
}

/** As the daemon would have it, if there is a configuration; else the machine's. */
function zoneOf(context: Context): string {
  const loaded = readConfig(context)
  return loaded.ok
    ? loaded.config.settings.timezone
    : Intl.DateTimeFormat().resolvedOptions().timeZone
}

function noJob(name: string, jobs: readonly Job[]): TaskdError {
  if (taskKeyOf(name) !== undefined)
    return new TaskdError(
      'E_NO_JOB',
      `${name} is a job in SQL`,
      '`taskd task list` shows its next run',
    )
  const names = jobs.map(job => job.name)
  return unknownName('E_NO_JOB', `no job named ${name}`, name, names, 'taskd next shows them all')
}

function sayWhatIsHeld(
  schedules: readonly Schedule[],
  jobs: readonly JobStatus[],
  { out }: Context,
): void {
  const shown = new Set(schedules.map(one => one.name))
  for (const { name, held, as_of } of jobs.filter(one => one.enabled && shown.has(one.name))) {
    if (held === null) out.note(`whether ${name} is paused is not known: Redis does not answer`)
    else if (held !== '')
      out.note(`${name} is ${held}${as_of ? `, as of ${as_of}` : ''}: it would run at these times`)
  }
}

function sayWhatNeverComes(
  schedules: readonly Schedule[],
  shown: ReadonlySet<string>,
  { out }: Context,
): void {
  for (const { name, trigger } of schedules) {
    if (shown.has(name)) continue
    const what = name === '' ? 'it' : name
    out.note(
      trigger.kind === 'reboot'
        ? `${what} runs when the daemon starts`
        : `${what} does not run any more`,
    )
  }
}
