import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
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
  readonly #stopping = new AbortController()
  #wake = new AbortController()
  #running: Promise<void> | undefined

  constructor(deps: ReporterDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#running ??= this.#loop()
  }

  /** There is something to send. */
  nudge(): void {
    this.#wake.abort()
  }

  /** Tries once more to send all, for no longer than this. */
  async stop(limitMs: number): Promise<void> {
    this.#stopping.abort()
    await this.#running
    const { clock } = this.#deps
    const deadline = clock.monotonic() + limitMs
    const late = AbortSignal.timeout(limitMs)
    while (clock.monotonic() < deadline && (await this.#send(late)) === 'sent');
  }

  async #loop(): Promise<void> {
    const { clock, journal } = this.#deps
    const { signal } = this.#stopping
    while (!signal.aborted) {
      this.#wake = new AbortController()
      const either = AbortSignal.any([signal, this.#wake.signal])
      if (journal.reportCount === 0) await clock.sleep(LONG_MS, either)
      if (journal.reportCount === 0) continue
      // A full batch has nobody to wait for.
      if (journal.reportCount < MOST) await clock.sleep(GATHER_MS, signal)
      const outcome = await this.#send(signal)
      if (typeof outcome === 'number') await clock.sleep(outcome, signal)
    }
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

const LONG_MS = 3_600_000
