import type { PartStatus } from '../../api/part-status.ts'
import { count } from '../../lib/count.ts'

declare module '../../api/part-status.ts' {
  interface FeatureLists {
    readonly relays: readonly RelayStatus[]
  }
}

/** As `taskd status --json` shows it. */
export interface RelayStatus {
  readonly name: string
  /** Without the password. */
  readonly redis: string
  readonly list: string
  readonly ok: boolean
  readonly error: string
  readonly since: string
  /** Tasks on the list, and those that were taken and not acknowledged; null when its Redis does not tell. */
  readonly backlog: number | null
  readonly leased: number | null
}

export function partOf(relay: RelayStatus): PartStatus {
  const { name, ok, error, since, list, redis, backlog, leased } = relay
  return {
    name,
    kind: 'relay',
    list: 'relays',
    state: ok ? 'OPEN' : 'AWAY',
    ok,
    warning: false,
    error,
    since,
    what: 'relay',
    details: [],
    reasons: [
      `hands on ${list} of ${redis}`,
      backlog === null || leased === null
        ? 'how many tasks wait, and how many are taken, is not known meanwhile'
        : `${count(backlog, 'task waits', 'tasks wait')}, ${leased} taken and not acknowledged`,
    ],
  }
}
