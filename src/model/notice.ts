/** Notices: what people are told unasked, where it goes, and what it looks like. */

export const NOTICE_KINDS = ['fail', 'fatal', 'recovery', 'silence', 'away'] as const
export type NoticeKind = (typeof NOTICE_KINDS)[number]

export const NOTICE_FORMATS = ['json', 'text', 'slack', 'dingtalk', 'wecom', 'feishu'] as const

/** `[notify:NAME]`; has either `url` or `mail`, `to` and `from`. */
export interface NotifySpec {
  readonly name: string
  readonly url?: string
  readonly format: (typeof NOTICE_FORMATS)[number]
  /** What the robots of DingTalk and Feishu sign with. */
  readonly secret?: string
  /** `smtp://user:password@host:port`, or smtps. */
  readonly mail?: string
  readonly to: readonly string[]
  readonly from?: string
  readonly on: readonly NoticeKind[]
  /** Patterns with `*`; one that begins with `!` excludes. */
  readonly names: readonly string[]
  /** What happens within this time goes into one notice, ms. */
  readonly groupMs: number
  /** Notices at most. */
  readonly max: { readonly max: number; readonly durationMs: number }
  /** After its time, how long a job may be neither running nor done, ms. */
  readonly silenceAfterMs: number
}

/** What a notice is about. */
export const SUBJECTS = ['job', 'task', 'program', 'worker', 'redis', 'database', 'node'] as const
export type Subject = (typeof SUBJECTS)[number]

/** One thing that happened; times are ISO 8601. Webhooks get this: fields may be added, never removed. */
export interface NoticeEvent {
  readonly kind: NoticeKind
  readonly what: Subject
  /** Of a task without a job: its queue. */
  readonly name: string
  /** When it happened, the last time. */
  readonly at: string
  /** How often, in a row; `first_at` says since when. */
  readonly count: number
  readonly first_at: string
  /** The end of what was said of it, at most 1,000 characters. */
  readonly msg: string
  /** Since when it was expected, away, or not well before it recovered. */
  readonly since?: string
  /** What it has recovered from. */
  readonly after?: Exclude<NoticeKind, 'recovery'>
  readonly task_key?: string
  readonly task_id?: string
  readonly worker?: string
  readonly attempt?: number
  /** How a run failed: exit, timeout, answer, … */
  readonly reason?: string
  readonly code?: string
}

export interface Notice {
  /** Stays the same when it has to be sent again. */
  readonly id: string
  /** The section. */
  readonly notify: string
  readonly node: string
  readonly at: string
  /** A line for people. */
  readonly title: string
  /** All of it for people. */
  readonly text: string
  /** In the order in which they happened. */
  readonly events: readonly NoticeEvent[]
  /** Events that are only counted, because there were too many. */
  readonly not_shown: number
  /** Earlier events that could not be delivered. */
  readonly lost: number
  /** Whether `max` has kept it back. */
  readonly held: boolean
}

/** What came of a test notice. */
export interface NotifyTested {
  readonly name: string
  readonly to: string
  readonly ok: boolean
  /** In the words of the receiver. */
  readonly message: string
}

/** Whether the last pattern that matches a name includes it. */
export function nameMatcher(patterns: readonly string[]): (name: string) => boolean {
  const rules = patterns.map(pattern => {
    const out = pattern.startsWith('!')
    const parts = (out ? pattern.slice(1) : pattern).split(/\*+/)
    return { out, fits: fitter(parts) }
  })
  // A list that begins with an exception means all but that.
  const otherwise = rules[0]?.out ?? false
  return name => {
    const last = rules.findLast(rule => rule.fits(name))
    return last === undefined ? otherwise : !last.out
  }
}

/** Not by a regular expression, so that no pattern takes long. */
function fitter(parts: readonly string[]): (name: string) => boolean {
  const [head = '', ...rest] = parts
  const tail = rest.pop()
  if (tail === undefined) return name => name === head
  return name => {
    if (!name.startsWith(head)) return false
    let at = head.length
    for (const part of rest) {
      const found = name.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
    return name.length - tail.length >= at && name.endsWith(tail)
  }
}
