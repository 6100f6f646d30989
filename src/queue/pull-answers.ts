import type { PushAnswer, ReportAnswer, ReportWord } from '../model/pull.ts'

/** The letters with which the scripts answer. */
const REPORT_WORDS: Readonly<Record<string, ReportWord>> = {
  f: 'finished',
  b: 'requeued',
  d: 'dead',
  a: 'already',
  s: 'stale',
  u: 'unknown',
}

export function toPushAnswer(id: string, letter = 'f'): PushAnswer {
  if (letter === 'a') return { id, answer: 'accepted', promoted: false }
  if (letter === 'f') return { id, answer: 'full', promoted: false }
  return { id, answer: 'duplicate', promoted: letter === 'p' }
}

export function toReportAnswer(id: string, letter = 'u'): ReportAnswer {
  return { id, answer: REPORT_WORDS[letter] ?? 'unknown' }
}
