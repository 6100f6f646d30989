import { formatDuration } from '../lib/duration.ts'
import { didYouMean, quoted } from '../lib/suggest.ts'
import type { Trigger } from '../model/job.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import { isLoopback } from './addresses.ts'
import type { Settings } from './config.ts'
import type { JOB, QUEUE, TASKD } from './core-kinds.ts'
import type { Report } from './diagnostics.ts'
import { checkPullJob } from './pull-jobs.ts'
import { BUILT_IN_QUEUES, fixedMode, modeOf } from './queues.ts'
import { type Checked, placeOf } from './schema.ts'
import type { Section } from './section.ts'

/** Rules that need more than one key. Each looks only at keys that are in order by themselves. */

/** `sun_path` holds 108 bytes, the last of them a NUL. */
const MAX_SOCKET_BYTES = 107

export function checkSettingsTogether(
  checked: Checked<typeof TASKD.schema>,
  settings: Settings,
  report: Report,
): void {
  const { section, values } = checked
  checkDoor(checked, settings, report)
  checkFence(checked, settings, report)
  const key = values.socket === undefined && values.data_dir !== undefined ? 'data_dir' : 'socket'
  refuseLongSocket(settings.socket, key, 'set socket = /run/taskd.sock')
  if (settings.redis === 'embedded')
    refuseLongSocket(`${settings.dataDir}/redis.sock`, 'data_dir', 'set a data_dir nearer to /')

  function refuseLongSocket(path: string, key: string, hint: string): void {
    const length = Buffer.byteLength(path)
    if (length <= MAX_SOCKET_BYTES) return
    const message = `makes the socket path ${path}: ${length} bytes, and the kernel takes ${MAX_SOCKET_BYTES}`
    report.problem(placeOf(section, key), message, hint)
  }
}

/** What it means that no secret is needed; `taskd doctor` says it too. */
export const OPEN_DOOR =
  'has no secret: every user of this machine may look, push allowed scripts and fetch tasks of pull queues; ' +
  'whatever acts on the daemon needs the control socket or a secret'

/**
 * Runs of a node that is cut off must be dead before others take them, and a slow moment must not
 * count as being cut off.
 */
function checkFence(
  { section }: Checked<typeof TASKD.schema>,
  settings: Settings,
  report: Report,
): void {
  const { fence, nodeTimeoutMs, killWaitMs, redis } = settings
  if (redis === 'embedded' || fence === 'off' || nodeTimeoutMs >= 2 * killWaitMs) return
  const timeout = formatDuration(nodeTimeoutMs)
  const message = `leaves no time to end runs before other nodes take them: kill_wait = ${formatDuration(killWaitMs)}, node_timeout = ${timeout}`
  const hint = `write node_timeout = ${formatDuration(2 * killWaitMs)} or more, a shorter kill_wait, or fence = off`
  report.problem(placeOf(section, 'node_timeout'), message, hint)
}

const SECRETS = ['secret', 'secret_read', 'secret_push', 'secret_pull'] as const
/** Shorter secrets can be guessed with enough time. */
const GOOD_SECRET = 16

function checkDoor(
  { section, values }: Checked<typeof TASKD.schema>,
  settings: Settings,
  report: Report,
): void {
  const { http, httpCert, httpKey } = settings
  // A broken secret is reported already.
  const hasSecret = SECRETS.some(name => section.entries.has(name))
  if (http !== undefined && !isLoopback(http.host) && !hasSecret) {
    const hint = 'add secret = (a long random text), or listen on 127.0.0.1'
    report.problem(placeOf(section, 'http'), 'can be reached from other machines', hint)
  }
  if (http !== undefined && isLoopback(http.host) && !hasSecret)
    report.note(placeOf(section, 'http'), OPEN_DOOR, 'add secret = (a long random text)')
  for (const name of SECRETS) {
    const secret = values[name]
    if (secret === undefined || secret.length >= GOOD_SECRET) continue
    const hint = 'write one that openssl rand -hex 16 makes'
    report.note(placeOf(section, name), `has less than ${GOOD_SECRET} characters`, hint)
  }
  if ((httpCert === undefined) === (httpKey === undefined)) return
  const [one, other] = httpKey === undefined ? ['http_cert', 'http_key'] : ['http_key', 'http_cert']
  if (!section.entries.has(other))
    report.problem(placeOf(section, one), `is of no use without ${other}`, `add ${other}`)
}

export function checkQueueTogether(checked: Checked<typeof QUEUE.schema>, report: Report): void {
  const { section, values } = checked
  const at = (name: string) => placeOf(section, name)
  // If the mode cannot be read, the other keys cannot be judged.
  if (section.entries.has('mode') && values.mode === undefined) return
  const fixed = fixedMode(section.name)
  if (fixed !== undefined && values.mode !== undefined && values.mode !== fixed) {
    report.problem(at('mode'), `${section.name} is always ${fixed}`, `write mode = ${fixed}`)
    return
  }
  const mode = modeOf(section.name, values)
  const foreign =
    mode === 'pull'
      ? (['workers', 'concurrency', 'rate', 'period'] as const)
      : (['lease', 'retries', 'max_leases', 'finish_keep'] as const)
  for (const name of foreign) {
    if (values[name] === undefined) continue
    const hint =
      mode === 'pull' ? 'remove it: agents take the tasks' : 'remove it, or write mode = pull'
    report.problem(at(name), `means nothing for a queue with mode = ${mode}`, hint)
  }
  if (mode === 'sync') checkSync(checked, report)
  checkPace(checked, mode, report)
}

function checkSync({ section, values }: Checked<typeof QUEUE.schema>, report: Report): void {
  if (values.concurrency !== undefined && values.concurrency !== 1) {
    const hint = 'write concurrency = 1, or mode = async'
    report.problem(placeOf(section, 'concurrency'), 'a sync queue runs one task at a time', hint)
  }
  if (values.workers !== undefined && values.workers > 1) {
    const hint = 'write workers = 1 to keep the order of the whole queue'
    report.note(placeOf(section, 'workers'), 'each worker keeps the order of its own tasks', hint)
  }
}

/** A pause between tasks can keep the queue from ever reaching its rate. */
function checkPace(
  { section, values }: Checked<typeof QUEUE.schema>,
  mode: string,
  report: Report,
): void {
  const { rate, period } = values
  if (rate === undefined || period === undefined || period === 0 || mode === 'pull') return
  const slots = (values.workers ?? 1) * (mode === 'sync' ? 1 : (values.concurrency ?? 16))
  if (slots === 0 || slots / period >= rate.max / rate.durationMs) return
  const message = `is never reached: ${slots} at once with period = ${formatDuration(period)} are slower`
  report.problem(placeOf(section, 'rate'), message, 'lower the rate, or shorten the period')
}

/** What jobs are checked against. */
export interface JobRules {
  readonly queues: ReadonlyMap<string, QueueSpec>
  /** Declared, though perhaps with mistakes. */
  readonly queueNames: readonly string[]
  readonly maxRunTimeMs: number
}

export function checkJobTogether(
  checked: Checked<typeof JOB.schema>,
  trigger: Trigger | undefined,
  rules: JobRules,
  report: Report,
): void {
  checkQueueOf(checked, rules, report)
  if (rules.queues.get(checked.values.task_key ?? '')?.mode === 'pull')
    checkPullJob(checked, report)
  checkRetries(checked, report)
  const { section, values } = checked
  const at = (name: string) => placeOf(section, name)
  const { jitter = 0 } = values
  if (trigger?.kind === 'interval' && jitter >= trigger.everyMs) {
    const every = formatDuration(trigger.everyMs)
    const message = `is not shorter than the interval of ${every}`
    report.problem(at('jitter'), message, 'shorten the jitter')
  }
  const { misfire, overlap, max_backfill } = values
  // With 0, nothing is made up for, whatever misfire says.
  const counts = misfire === 'all' || overlap === 'queue' || max_backfill === 0
  if (section.entries.has('max_backfill') && misfire !== undefined && !counts)
    report.note(
      at('max_backfill'),
      'counts only with misfire = all or overlap = queue',
      'add misfire = all',
    )
}

function checkQueueOf(
  { section, values }: Checked<typeof JOB.schema>,
  rules: JobRules,
  report: Report,
): void {
  const name = values.task_key
  if (name === undefined) return
  const queue = rules.queues.get(name)
  if (queue === undefined && !rules.queueNames.includes(name)) {
    const known = [...new Set([...BUILT_IN_QUEUES, ...rules.queueNames])]
    const otherwise = `write ${BUILT_IN_QUEUES.join(' or ')}, or add a section [queue:${name.slice(0, 64)}]`
    const hint = didYouMean(name, known, otherwise, quoted)
    report.problem(placeOf(section, 'task_key'), 'there is no such queue', hint)
  }
  const own = values.max_run_time
  if (queue?.mode === 'pull' && (own ?? rules.maxRunTimeMs) > queue.leaseMs) {
    const key = own === undefined ? 'task_key' : 'max_run_time'
    const message = `a task may run for ${formatDuration(own ?? rules.maxRunTimeMs)}, but the lease of ${name} ends after ${formatDuration(queue.leaseMs)}, and it would run twice`
    report.problem(placeOf(section, key), message, 'shorten max_run_time, or lengthen the lease')
  }
}

interface WithRetries {
  readonly section: Section
  readonly values: {
    readonly retries?: number | undefined
    readonly retry_intervals?: readonly number[] | undefined
  }
}

export function checkRetries({ section, values }: WithRetries, report: Report): void {
  const { retries, retry_intervals: waits } = values
  if (retries === undefined || waits === undefined || retries >= waits.length) return
  const message = `has ${waits.length} parts, but retries = ${retries} never gets to the last`
  const hint = `write retries = ${waits.length}, or leave retries out`
  report.problem(placeOf(section, 'retry_intervals'), message, hint)
}
