import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { RedisHealth } from '../monitor/redis-health.ts'
import type { ManagedProgram } from '../supervise/managed-program.ts'

/** An embedded Redis is ready in a moment; if another takes longer than this, the log says so. */
const PATIENCE_MS = 3000

export interface RedisReadyDeps {
  readonly health: RedisHealth
  /** The one that we run ourselves. */
  readonly embedded: ManagedProgram | undefined
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Resolves when Redis answers, be it full or not, or the daemon stops.
 * @param onLate called once when it takes longer than a moment
 */
export async function untilRedisReady(
  { health, embedded, clock, log }: RedisReadyDeps,
  signal: AbortSignal,
  onLate: () => void,
): Promise<void> {
  const patient = clock.setTimer(PATIENCE_MS, () => {
    log.warn({ error: health.status.error }, 'waiting for Redis')
    onLate()
  })
  // The server of a KILLed daemon may still answer until ours has replaced it.
  const isOurs = () => (embedded?.state.name ?? 'RUNNING') === 'RUNNING'
  while (!(health.status.answers && isOurs()) && !signal.aborted) await clock.sleep(10, signal)
  patient.cancel()
}
