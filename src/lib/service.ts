import { messageOf } from './errors.ts'
import type { Logger } from './log.ts'

/** Any long-lived part. Both calls are idempotent; stopping what never started is fine. */
export interface Service {
  readonly name: string
  start(): Promise<void>
  stop(): Promise<void>
}

/**
 * Stops one part, and keeps it from holding up the others: one that hangs is named and left
 * behind after `limitMs`, one that fails is named too.
 * @param limitMs undefined for a part that has limits of its own
 */
export async function stopWithin(
  limitMs: number | undefined,
  part: Pick<Service, 'name' | 'stop'>,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>(resolve => {
    if (limitMs !== undefined) timer = setTimeout(() => resolve('late'), limitMs)
  })
  try {
    const ended = await Promise.race([part.stop(), late])
    if (ended === 'late')
      log.warn({ part: part.name, limit_ms: limitMs }, 'a part did not stop in time')
  } catch (error) {
    log.warn({ part: part.name, error: messageOf(error) }, 'a part failed to stop')
  } finally {
    clearTimeout(timer)
  }
}
