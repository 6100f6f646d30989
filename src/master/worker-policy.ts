import type { WorkerLimits } from '../model/ipc.ts'
import type { RestartPolicy } from '../model/program-state.ts'

/** A worker's drain may take stop_wait and kill_wait, and this much more. */
const LEAVE_GRACE_MS = 5000

/** Never FATAL: a queue without its worker is worse than a worker that keeps trying. */
export function workerPolicy(deps: {
  readonly limits: () => Pick<WorkerLimits, 'killWaitMs'>
  readonly stopWaitMs: () => number
}): RestartPolicy {
  return {
    autorestart: 'always',
    exitCodes: [],
    startMs: 1000,
    backoff: { baseMs: 100, factor: 2, capMs: 10_000, jitter: 0.2 },
    maxQuick: Number.POSITIVE_INFINITY,
    maxDeaths: Number.POSITIVE_INFINITY,
    windowMs: 60_000,
    fatalRetryMs: 0,
    stopWaitMs: deps.stopWaitMs() + deps.limits().killWaitMs + LEAVE_GRACE_MS,
  }
}
