import type { PartStatus } from '../../api/part-status.ts'
import { count } from '../../lib/count.ts'

declare module '../../api/part-status.ts' {
  interface FeatureLists {
    readonly notices: readonly NotifyStatus[]
  }
}

/** As `taskd status --json` shows it. */
export interface NotifyStatus {
  readonly name: string
  /** Where to, without what is secret. */
  readonly to: string
  readonly ok: boolean
  /** What went wrong last; '' when nothing is wrong. */
  readonly error: string
  /** Since when it is as it is, ISO 8601. */
  readonly since: string
  /** Notices since the start. */
  readonly sent: number
  /** Failed attempts since the start; each notice is tried again. */
  readonly failed: number
  /** Events that are to be sent yet. */
  readonly waiting: number
  /** Events since the start that were not sent: too many at once, or not delivered in time. */
  readonly dropped: number
  readonly last_sent: string | null
}

export function partOf(notices: NotifyStatus): PartStatus {
  const { name, to, ok, error, since, waiting, sent, dropped, last_sent } = notices
  return {
    name,
    kind: 'notify',
    list: 'notices',
    state: ok ? 'OPEN' : 'FAILING',
    ok,
    warning: false,
    error,
    since,
    what: `notices to ${to}`,
    details: [
      ...(waiting > 0 ? [`${count(waiting, 'event')} waiting`] : []),
      ...(dropped > 0 ? [`${dropped} dropped`] : []),
    ],
    reasons: [
      `notices go to ${to}; taskd notify ${name} sends a test`,
      `since the start: ${count(sent, 'notice')} sent, ${count(dropped, 'event')} dropped`,
      `${count(waiting, 'event waits', 'events wait')} to be sent`,
      ...(last_sent === null ? [] : [`last sent at ${last_sent}`]),
    ],
  }
}
