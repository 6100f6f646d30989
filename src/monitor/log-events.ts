import { isoWithOffset } from '../lib/clock.ts'
import { unreachable } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { tellingLine } from '../lib/telling-line.ts'
import type { DaemonEvent, Events } from '../model/events.ts'

/** Writes what happens to the log. No `param` and no output: they may hold secrets. */
export function logEvents(events: Events, log: Logger): () => void {
  return events.subscribe(event => write(event, log))
}

function write(event: DaemonEvent, log: Logger): void {
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
      const what =
        event.outcome === 'buried'
          ? 'failed for good: its workers died'
          : 'given back: its worker died'
      return log.warn({ task: taskId, worker: workerId, deaths }, `task ${what}`)
    }
    case 'died':
      // Whoever found it dead has said so.
      return undefined
    case 'tick':
      return tick(event, log)
    case 'health':
      if (event.ok) return log.info(`${event.part} answers`)
      return log.error(
        { error: event.error },
        `${event.part} is away; work waits and nothing is lost`,
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

function tick(event: Extract<DaemonEvent, { type: 'tick' }>, log: Logger): void {
  const { job, action, taskId, detail } = event
  const fields = {
    tick: isoWithOffset(event.at),
    ...(taskId && { task: taskId }),
    ...(detail && { why: detail }),
  }
  if (action === 'queued') return log.debug(fields, `job ${job}: queued`)
  return log.info(fields, `job ${job}: tick ${action}`)
}
