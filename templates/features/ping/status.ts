import type { PartStatus } from '../../api/part-status.ts'
import { count } from '../../lib/count.ts'

declare module '../../api/part-status.ts' {
  interface FeatureLists {
    readonly pings: readonly PingStatus[]
  }
}

/** As `taskd status --json` shows it. */
export interface PingStatus {
  readonly name: string
  readonly url: string
  readonly ok: boolean
  /** What is wrong, in words; '' when nothing is. */
  readonly error: string
  /** Since when it is as it is, ISO 8601. */
  readonly since: string
  /** How often it was asked since the start. */
  readonly asked: number
}

export function partOf({ name, url, ok, error, since, asked }: PingStatus): PartStatus {
  return {
    name,
    kind: 'ping',
    list: 'pings',
    state: ok ? 'OPEN' : 'AWAY',
    ok,
    warning: false,
    error,
    since,
    what: `ping of ${url}`,
    details: [],
    reasons: [`asks ${url}`, `since the start: ${count(asked, 'time')}`],
  }
}
