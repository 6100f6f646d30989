import { backoffDelay } from '../lib/backoff.ts'
import type { Logger } from '../lib/log.ts'
import type { Answered } from './master-api.ts'

/** A master that is away is asked again after 1 s, 2 s, … a minute. */
const AWAY = { baseMs: 1000, factor: 2, capMs: 60_000, jitter: 0.3 }
/** A queue without tasks is looked at again after 1 s, 1.5 s, … 10 s. */
const IDLE = { baseMs: 1000, factor: 1.5, capMs: 10_000, jitter: 0.3 }

/** How long to wait before the master is asked again; a thousand agents must not ask at once. */
export class Patience {
  readonly #log: Pick<Logger, 'warn' | 'error' | 'info'>
  readonly #random: () => number
  #failures = 0
  #empties = 0

  constructor(log: Pick<Logger, 'warn' | 'error' | 'info'>, random: () => number) {
    this.#log = log
    this.#random = random
  }

  /** @param what was asked, for the log @returns ms */
  afterFailure(what: string, answer: Exclude<Answered<never>, { kind: 'ok' }>): number {
    const { kind, reason, retryAfterMs = 0 } = answer
    this.#failures += 1
    // Once is enough, until it is back.
    if (this.#failures === 1)
      if (kind === 'refused') this.#log.error({ what, reason }, 'the master refuses this agent')
      else this.#log.warn({ what, reason }, 'the master is away; it is asked again and again')
    const waitMs = backoffDelay(AWAY, this.#failures, this.#random())
    return Math.max(waitMs, retryAfterMs * (1 + this.#random()))
  }

  /** @param found whether there were tasks @returns ms before the next look */
  afterAnswer(found: boolean): number {
    if (this.#failures > 0) this.#log.info({ failures: this.#failures }, 'the master is back')
    this.#failures = 0
    this.#empties = found ? 1 : this.#empties + 1
    return backoffDelay(IDLE, this.#empties, this.#random())
  }
}
