import type { Clock } from '../../lib/clock.ts'
import type { NoticeEvent } from '../../model/notice.ts'
import type { Ledger } from './ledger.ts'
import type { PartCondition } from './world.ts'

/** A moment is no outage: a failover takes some seconds. */
const AWAY_MS = 10_000

/** Redis and the database, as one section tells of them: away for longer than a moment, and back. */
export class PartsWatch {
  readonly #ledger: Ledger
  readonly #clock: Clock
  /** Since when it is away, monotonic. */
  readonly #away = new Map<PartCondition['what'], number>()

  constructor(ledger: Ledger, clock: Clock) {
    this.#ledger = ledger
    this.#clock = clock
  }

  look(conditions: readonly PartCondition[]): NoticeEvent[] {
    return conditions.flatMap(({ what, ok, error }) => {
      const at = this.#clock.now()
      if (ok) {
        this.#away.delete(what)
        return this.#ledger.well({ what, name: '', at, msg: '' }) ?? []
      }
      const now = this.#clock.monotonic()
      const since = this.#away.get(what) ?? now
      this.#away.set(what, since)
      if (now - since < AWAY_MS) return []
      const began = at - Math.round(now - since)
      return this.#ledger.bad({ kind: 'away', what, name: '', at, since: began, msg: error }) ?? []
    })
  }
}
