import { isoWithOffset } from '../lib/clock.ts'
import { unreachable } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { tellingLine } from '../lib/telling-line.ts'
import type { DaemonEvent, Events } from '../model/events.ts'

const RECOVERED = {
  'given back': 'given back: its worker died',
  buried: 'failed for good: its workers died',
  told: 'had ended when its worker died: its verdict was kept, and it does not run again',
} as const

/** Writes what happens to the log. No `param` and no output: they may hold secrets. */
export function logEvents(events: Events, log: Logger): () => void {
  const ticks = new TickLog(log)
  return events.subscribe(event => {
    if (event.type === 'tick') ticks.write(event)
    else write(event, log)
  })
}

type TickEvent = Extract<DaemonEvent, { type: 'tick' }>

function write(event: Exclude<DaemonEvent, TickEvent>, log: Logger): void {
  switch (event.type) {
    case 'program':
      return program(event, log)
    case 'run-started': {
      const { id, pid, attempt } = event.run
      return log.debug({ task: id, worker: event.workerId, pid, attempt }, 'run started')
    }
    case 'run-ended':
      return ended(event, log)
    case 'recovered': {
      const { taskId, workerId, deaths } = event
      const back = event.nodeGone ? 'given back: its node is gone' : RECOVERED['given back']
      const what = event.outcome === 'given back' ? back : RECOVERED[event.outcome]
      return log.warn({ task: taskId, worker: workerId, deaths }, `task ${what}`)
    }
    case 'node':
    case 'died':
    case 'emptied':
      // Whoever found this out has logged it.
      return undefined
    case 'health':
      if (event.ok) return log.info(`${event.part} answers`)
      if (event.full)
        return log.error(
          { error: event.error },
          `${event.part} is full: what waits is worked off, and nothing new comes in`,
        )
      // The numbers that old clients know it by (docs/http.md).
      return log.error(
        { error: event.error, errcode: event.part === 'redis' ? '101' : '200' },
        `${event.part} is away; work waits for it`,
      )
    default:
      return unreachable(event)
  }
}

function program(event: Extract<DaemonEvent, { type: 'program' }>, log: Logger): void {
  const { state, name, detail } = event
  const pid = 'pid' in state ? state.pid : undefined
  const fields = { ...(pid !== undefined && { pid }) }
  switch (state.name) {
    case 'STARTING':
      if (event.from === 'RUNNING')
        return log.warn({ ended: detail }, `${name} died; started again at once`)
      return log.debug(fields, `${name} starts`)
    case 'RUNNING':
      return log.info(fields, `${name} runs`)
    case 'BACKOFF':
      return log.warn({ ended: detail }, `${name} died; waits before the next try`)
    case 'FATAL':
      return log.error({ ended: detail }, `${name} keeps dying and is given up for now`)
    case 'STOPPING':
      return log.debug({ why: state.why }, `${name} stops`)
    case 'STOPPED':
      return log.info({ why: state.why }, `${name} stopped`)
    case 'EXITED':
      return log.info({ ended: state.why }, `${name} has exited`)
    default:
      return unreachable(state)
  }
}

function ended(event: Extract<DaemonEvent, { type: 'run-ended' }>, log: Logger): void {
  const { run } = event
  const what = run.job === '' ? `task ${run.id}` : `job ${run.job}`
  const fields = {
    ms: run.durationMs,
    ...(run.job !== '' && { task: run.id }),
    worker: event.workerId,
    ...(run.attempt > 1 && { attempt: run.attempt }),
  }
  switch (run.outcome) {
    case 'succ':
      return log.info(fields, `${what}: succ`)
    case 'returned':
      return log.info(fields, `${what}: stopped and given back`)
    case 'replaced':
      return log.info(fields, `${what}: ${run.msg}`)
    case 'fail':
    case 'other': {
      const retry = run.retryInMs === undefined ? {} : { retry_in_s: run.retryInMs / 1000 }
      const line = tellingLine(run.msg)
      return log.warn(
        { ...fields, kind: run.kind, ...retry },
        `${what}: ${run.code}: ${line.slice(0, 200)}`,
      )
    }
    default:
      return unreachable(run.outcome)
  }
}

/** Ticks that do not run are two lines, not one each: a job of every second has 86,400 a day. */
class TickLog {
  readonly #log: Logger
  /** Of jobs whose last ticks did not run: how many, and why. */
  readonly #held = new Map<string, { action: string; detail: string; count: number }>()

  constructor(log: Logger) {
    this.#log = log
  }

  write({ job, action, taskId, detail, at, count }: TickEvent): void {
    const fields = {
      tick: isoWithOffset(at),
      ...(taskId && { task: taskId }),
      ...(detail && { why: detail }),
    }
    const holds = action === 'skipped' || action === 'paused' || action === 'missed'
    const before = this.#held.get(job)
    if (before?.action === action && before.detail === detail) {
      before.count += count
      return this.#log.debug(fields, `job ${job}: tick ${action}`)
    }
    this.#held.delete(job)
    if (before && before.count > 1)
      this.#log.info({ why: before.detail }, `job ${job}: ${before.count} ticks ${before.action}`)
    if (holds) this.#held.set(job, { action, detail, count })
    if (action === 'queued') return this.#log.debug(fields, `job ${job}: queued`)
    return this.#log.info(fields, `job ${job}: tick ${action}`)
  }
}
