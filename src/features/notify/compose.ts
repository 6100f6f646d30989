import { randomUUID } from 'node:crypto'
import { isoWithOffset } from '../../lib/clock.ts'
import type { Notice } from '../../model/notice.ts'
import type { Gathered } from './gathering.ts'
import { textOf, titleOf } from './text.ts'

export interface Head {
  /** The section. */
  readonly notify: string
  readonly node: string
  /** ms */
  readonly now: number
}

/** A notice of what has been gathered. */
export function noticeOf(
  { notify, node, now }: Head,
  { events, notShown }: Gathered,
  { lost, held }: Pick<Notice, 'lost' | 'held'>,
): Notice {
  const title = titleOf(node, { events }, notShown)
  const at = isoWithOffset(now)
  return whole({ notify, node, at, title, events, not_shown: notShown, lost, held })
}

/** A notice that tells of nothing. */
export function testNotice({ notify, node, now }: Head): Notice {
  const title = `taskd ${node}: a test of [notify:${notify}]`
  const nothing = { events: [], not_shown: 0, lost: 0, held: false }
  return whole({ notify, node, at: isoWithOffset(now), title, ...nothing })
}

function whole(said: Omit<Notice, 'id' | 'text'>): Notice {
  const notice = { id: randomUUID(), ...said }
  return { ...notice, text: textOf(notice) }
}

/** How many events it stands for. */
export function sizeOf({ events, not_shown }: Notice): number {
  return events.reduce((sum, event) => sum + event.count, not_shown)
}
