import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import { Loop } from '../lib/loop.ts'
import type { Journal } from './journal.ts'
import type { MasterApi } from './master-api.ts'
import type { Patience } from './patience.ts'

export interface ReporterDeps {
  readonly api: MasterApi
  readonly journal: Journal
  readonly patience: Patience
  readonly clock: Clock
  readonly log: Pick<Logger, 'warn' | 'debug'>
}

/** Of one request. */
const MOST = 1000
/** How long a report waits for others to go with it. */
const GATHER_MS = 200

/**
 * Sends what the journal has, as long as it takes. A report is forgotten only when the master has
 * answered; what it has taken without our hearing of it is sent again, and counted once.
 */
export class Reporter {
  readonly #deps: ReporterDeps
  readonly #loop: Loop

  constructor(deps: ReporterDeps) {
    this.#deps = deps
    this.#loop = new Loop({ clock: deps.clock, round: signal => this.#round(signal) })
  }

  start(): void {
    this.#loop.start()
  }

  /** There is something to send. */
  nudge(): void {
    this.#loop.nudge()
  }

  /** Tries once more to send all, for no longer than this. */
  async stop(limitMs: number): Promise<void> {
    await this.#loop.stop()
    const { clock } = this.#deps
    const deadline = clock.monotonic() + limitMs
    const late = AbortSignal.timeout(limitMs)
    while (clock.monotonic() < deadline && (await this.#send(late)) === 'sent');
  }

  /** @returns how long to wait for something to send, ms */
  async #round(signal: AbortSignal): Promise<number> {
    const { clock, journal } = this.#deps
    if (journal.reportCount === 0) return Number.POSITIVE_INFINITY
    // A full batch has nobody to wait for.
    if (journal.reportCount < MOST) await clock.sleep(GATHER_MS, signal)
    const outcome = await this.#send(signal)
    // What the master has asked for, or a failure: no report hurries that.
    if (typeof outcome === 'number') await clock.sleep(outcome, signal)
    return 0
  }

  /** @returns how long to wait before the next attempt, ms */
  async #send(signal: AbortSignal): Promise<'sent' | 'nothing' | number> {
    const { api, journal, patience, log } = this.#deps
    const reports = journal.reports.slice(0, MOST)
    if (reports.length === 0) return 'nothing'
    const answer = await api.report(reports, signal)
    if (signal.aborted && answer.kind !== 'ok') return 0
    if (answer.kind !== 'ok') return patience.afterFailure('report', answer)
    patience.afterAnswer(true)
    journal.sent(reports)
    const { counted, unknown } = answer.value
    log.debug({ reports: reports.length, counted }, 'reported')
    if (unknown.length > 0)
      log.warn({ count: unknown.length, first: unknown[0] }, 'the master does not know these tasks')
    return 'sent'
  }
}
