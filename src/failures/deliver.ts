import { type BackoffPolicy, backoffDelay } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { FailRow } from '../model/fail-row.ts'
import { failureOf } from '../store/failure.ts'
import type { Store } from '../store/store.ts'
import type { FailLog } from './fail-log.ts'
import { fitted } from './fit.ts'

export interface DeliveryDeps {
  readonly store: Pick<Store, 'ping'>
  readonly failLog: Pick<FailLog, 'append'>
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly log: Logger
}

/** Why a row was not stored, by its place among the rows that were given. */
export type Refusals = ReadonlyMap<number, string>

/**
 * Stores rows, and resolves with those that the database refuses whatever is done to them. An
 * exception means that the database is at fault: give all the rows again later.
 */
export type Deliver = (rows: readonly FailRow[], signal: AbortSignal) => Promise<Refusals>

const BUSY: BackoffPolicy = { baseMs: 50, factor: 2, capMs: 1000, jitter: 0.5 }
const BUSY_TRIES = 6
/** After this many broken connections in a row, while the server is up, the rows may be too large. */
const CUTS = 3

/** A row that the database refuses is cut to fit, and must not hold up the others. */
export function createDelivery({ store, failLog, clock, random, log }: DeliveryDeps): Deliver {
  let cuts = 0

  /** Deadlocks and locks pass: the same again, a few times. */
  async function append(rows: readonly FailRow[], signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await failLog.append(rows)
        return
      } catch (error) {
        if (failureOf(error) !== 'busy' || tries === BUSY_TRIES || signal.aborted) throw error
        await clock.sleep(backoffDelay(BUSY, tries, random()), signal)
      }
    }
  }

  /**
   * Gives the reason when the rows may be at fault, and throws when the database is. A connection
   * that breaks is the database's fault, unless it breaks again and again over the same rows while
   * the server is well: so a packet that is too large may show. A wait that is too long, for a lock
   * or for a server that hangs, is never a row's fault.
   */
  async function refusal(error: unknown): Promise<string> {
    const failure = failureOf(error)
    if (failure === 'cut') {
      cuts += 1
      if (cuts < CUTS) throw error
      await store.ping()
    } else if (failure !== 'refused') throw error
    return messageOf(error)
  }

  /** As `refusal`, for a row that is as small as it gets: no connection breaks because of that. */
  async function lastRefusal(error: unknown): Promise<string> {
    if (failureOf(error) !== 'refused') throw error
    return messageOf(error)
  }

  /** Undefined when it is stored, whole or cut. */
  async function appendOne(row: FailRow, signal: AbortSignal): Promise<string | undefined> {
    const refused = await append([row], signal).then(() => undefined, refusal)
    if (refused === undefined) return undefined
    const stillRefused = await append([fitted(row)], signal).then(() => undefined, lastRefusal)
    const task = { task: row.unique_task_id, attempt: row.attempt, error: refused }
    if (stillRefused === undefined) log.warn(task, 'fail_log refused a row: it was cut to fit')
    return stillRefused
  }

  return async (rows, signal) => {
    const refusals = new Map<number, string>()
    const refused = await append(rows, signal).then(() => undefined, refusal)
    if (refused !== undefined)
      for (const [place, row] of rows.entries()) {
        const why = await appendOne(row, signal)
        if (why !== undefined) refusals.set(place, why)
      }
    cuts = 0
    return refusals
  }
}
