import type { Parsed } from '../lib/parsed.ts'
import { readFunctionArgs } from './function-args.ts'
import type { Job, Trigger } from './job.ts'
import { MAX_ARGUMENT_BYTES } from './task.ts'

/** The columns of a row of `task` that make its job. */
export interface SqlJobRow {
  readonly id: number
  readonly task_key: string
  readonly execute_func: string
  readonly trigger: string
  readonly spec: string
  readonly args: string
}

export const SQL_TRIGGERS = ['cron', 'date', 'interval'] as const
export type SqlTrigger = (typeof SQL_TRIGGERS)[number]

export interface SqlJobRules {
  /** An IANA zone name. */
  readonly timezone: string
  /** The folder of functions, absolute. */
  readonly tasks: string
  /** Judges a `spec` by the rules for `run_time`; the reason begins with a verb. */
  readonly readTrigger: (trigger: SqlTrigger, spec: string, timezone: string) => Parsed<Trigger>
}

/** Functions are mostly waiting, so many run at once; the queue is always there. */
export const SQL_QUEUE = 'async_tasks'

const PREFIX = 'task:'

/** No section of cron.ini may have a `:` in its name, so the two never meet. */
export function sqlJobName(taskKey: string): string {
  return `${PREFIX}${taskKey}`
}

/** The `task_key` of a job that comes from SQL, or undefined for one of cron.ini. */
export function taskKeyOf(jobName: string): string | undefined {
  return jobName.startsWith(PREFIX) ? jobName.slice(PREFIX.length) : undefined
}

/** @returns the job of a row, or everything that is wrong with it, in one line */
export function readSqlJob(row: SqlJobRow, enabled: boolean, rules: SqlJobRules): Parsed<Job> {
  const word = SQL_TRIGGERS.find(one => one === row.trigger.trim())
  const spec = row.spec.trim()
  const trigger = word && rules.readTrigger(word, spec, rules.timezone)
  const problems = [
    keyProblem(row.task_key),
    functionProblem(row.execute_func),
    word === undefined ? told('trigger', row.trigger, UNKNOWN_TRIGGER) : '',
    trigger && !trigger.ok ? told('spec', spec, trigger.reason) : '',
    argsProblem(row.args),
  ].filter(problem => problem !== '')
  if (problems.length > 0 || word === undefined || !trigger?.ok)
    return { ok: false, reason: problems.join('; ') }
  return { ok: true, value: jobOf(row, word, trigger.value, enabled, rules) }
}

/** Everything that a row cannot set has the default of cron.ini. */
function jobOf(
  row: SqlJobRow,
  word: SqlTrigger,
  trigger: Trigger,
  enabled: boolean,
  { timezone, tasks }: SqlJobRules,
): Job {
  return Object.freeze({
    name: sqlJobName(row.task_key),
    enabled,
    trigger,
    timezone,
    overlap: 'skip',
    misfire: 'once',
    misfireGraceMs: 60_000,
    maxBackfill: 100,
    jitterMs: 0,
    pauseOnFailures: 0,
    task: Object.freeze({
      call: 'function',
      rowId: row.id,
      taskKey: SQL_QUEUE,
      script: `${tasks.replace(/\/+$/, '')}/${word}/${row.execute_func}`,
      controller: word,
      function: row.execute_func,
      param: row.args,
      priority: 5,
      retries: 0,
      retryIntervalsMs: [],
    }),
  })
}

const UNKNOWN_TRIGGER = `is no kind of schedule. write one of: ${SQL_TRIGGERS.join(', ')}`

/** A key becomes a part of ids, Redis keys and the environment of runs. */
function keyProblem(key: string): string {
  if (key === '') return 'task_key is empty. give the row a name'
  if (/\p{Cc}/u.test(key)) return told('task_key', key, 'has control characters. use plain text')
  return Array.from(key).length > MAX_KEY
    ? told('task_key', key, `is longer than ${MAX_KEY} characters. shorten it`)
    : ''
}

/** As wide as the column is where it has a width. */
const MAX_KEY = 255

/** A name that can only be that of a file inside the folder of functions. */
const FUNCTION_NAME = /^[\p{L}_][\p{L}\p{M}\p{N}_-]*$/u

function functionProblem(name: string): string {
  if (name === '') return 'execute_func is empty. name a function in the folder of tasks'
  if (FUNCTION_NAME.test(name) && name.length <= MAX_KEY) return ''
  const remedy = 'is no name for a function. use letters, digits, _ and -'
  return told('execute_func', name, remedy)
}

function argsProblem(args: string): string {
  if (Buffer.byteLength(args) > MAX_ARGUMENT_BYTES)
    return `args is longer than ${MAX_ARGUMENT_BYTES} bytes. hand the data over in a file`
  const read = readFunctionArgs(args)
  return read.ok ? '' : told('args', args, read.reason)
}

const SHOWN = 80

/** `spec = 99 * * * *: what is wrong. what to write instead`, as `taskd check` says it. */
function told(column: string, value: string, reason: string): string {
  const shown = value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value
  return oneLine(`${column} = ${shown}: ${reason}`)
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, one => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
