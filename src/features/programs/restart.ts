import type { RestartPolicy } from '../../model/program-state.ts'
import { DEFAULT_BACKOFF_MAX_MS, DEFAULT_MAX_DEATHS, type ProgramValues } from './schema.ts'

const FACTOR = 2
const JITTER = 0.2

/** When it is restarted, and when it is given up. */
export function restartOf(values: ProgramValues): RestartPolicy {
  const { backoff: baseMs, death_window: windowMs, startretries } = values
  const capMs = values.backoff_max ?? Math.max(DEFAULT_BACKOFF_MAX_MS, baseMs)
  const backoff = { baseMs, factor: FACTOR, capMs, jitter: JITTER }
  return {
    autorestart: values.autorestart,
    exitCodes: values.exitcodes,
    startMs: values.startsecs,
    backoff,
    maxQuick: startretries + 1,
    maxDeaths:
      values.max_deaths ??
      Math.max(DEFAULT_MAX_DEATHS, Math.min(startretries, quickDeaths(backoff, windowMs)) + 1),
    windowMs,
    fatalRetryMs: values.fatal_retry,
    stopWaitMs: values.stopwaitsecs,
  }
}

/**
 * How many deaths fit into the window when only the backoff is between them: `max_deaths`
 * need not count more, and still stops a program that dies after a longer life.
 */
function quickDeaths({ baseMs, capMs }: RestartPolicy['backoff'], windowMs: number): number {
  const shortest = (wait: number) => wait * (1 - JITTER)
  let count = 1
  let at = 0
  for (let wait = baseMs; wait < capMs && at <= windowMs; wait *= FACTOR) {
    at += shortest(wait)
    count += 1
  }
  return count + Math.max(0, Math.ceil((windowMs - at) / shortest(capMs)))
}
