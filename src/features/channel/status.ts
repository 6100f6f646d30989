import type { PartStatus } from '../../api/part-status.ts'
import { count } from '../../lib/count.ts'

declare module '../../api/part-status.ts' {
  interface FeatureLists {
    readonly channels: readonly ChannelStatus[]
  }
}

/** As `taskd status --json` shows it. */
export interface ChannelStatus {
  readonly name: string
  readonly table: string
  /** Where, without the password. */
  readonly database: string
  readonly ok: boolean
  /** What is wrong, in words; '' when nothing is. */
  readonly error: string
  /** Since when it is as it is, ISO 8601. */
  readonly since: string
  /** Batches and bytes that wait on disk. */
  readonly backlog: number
  readonly backlog_bytes: number
  /** Batches that the database refused when they came up; they lie in files. */
  readonly bad: number
  /** Rows since the start. */
  readonly inserted: number
}

export function partOf(channel: ChannelStatus): PartStatus {
  const { name, ok, error, since, table, database, backlog, bad, inserted } = channel
  return {
    name,
    kind: 'channel',
    list: 'channels',
    state: ok ? 'OPEN' : 'AWAY',
    ok,
    warning: bad > 0,
    error,
    since,
    what: `channel into ${table}`,
    details: [
      ...(backlog > 0 ? [`backlog of ${backlog} on disk`] : []),
      ...(bad > 0 ? [`${bad} bad`] : []),
    ],
    reasons: [
      `rows go into ${table} of ${database}`,
      `${count(backlog, 'batch waits', 'batches wait')} on disk, ${bad} refused and in files`,
      `since the start: ${count(inserted, 'row')}`,
    ],
  }
}
