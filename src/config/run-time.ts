import { parseDuration } from '../lib/duration.ts'
import type { Parsed } from '../lib/parsed.ts'
import { didYouMean, quoted } from '../lib/suggest.ts'
import type { Trigger } from '../model/job.ts'
import type { CheckSchedule } from './config.ts'
import { no, type Read, yes } from './fields.ts'

export const TRIGGERS = ['cron', 'interval', 'date'] as const
export type TriggerWord = (typeof TRIGGERS)[number]

const MACROS = new Map([
  ['@hourly', '0 * * * *'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'],
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
])

/** For shorter intervals a queue and a resident worker are better than a schedule. */
const LEAST_INTERVAL_MS = 100

/** What `run_time` means under a `trigger`. Whether a cron expression makes sense is not judged here. */
export function readRunTime(trigger: TriggerWord, text: string): ReturnType<Read<Trigger>> {
  if (trigger === 'interval') return readInterval(text.replace(/^@every\s+/, ''))
  if (trigger === 'date') return readDate(text)
  return text.startsWith('@') ? readMacro(text) : readCron(text)
}

function readCron(text: string): ReturnType<Read<Trigger>> {
  if (parseDuration(text).ok)
    return no('is not a cron expression', `write @every ${text}, or add trigger = interval`)
  if (DATE.test(text)) return no('is not a cron expression', 'add trigger = date')
  return yes({ kind: 'cron', expression: text.split(/\s+/).join(' ') })
}

function readMacro(text: string): ReturnType<Read<Trigger>> {
  if (text === '@reboot') return yes({ kind: 'reboot' })
  if (/^@every\s/.test(text)) return readInterval(text.slice(6).trim())
  const expression = MACROS.get(text)
  if (expression !== undefined) return yes({ kind: 'cron', expression })
  const known = [...MACROS.keys(), '@reboot', '@every 90s']
  const list = `write one of: ${known.join(', ')}`
  return no('is no known macro', didYouMean(text, known, list, quoted))
}

function readInterval(text: string): ReturnType<Read<Trigger>> {
  const parsed = parseDuration(text)
  if (!parsed.ok) return no(parsed.reason, 'write an interval such as 30s or 1h30m')
  if (parsed.value < LEAST_INTERVAL_MS)
    return no(`is less than ${LEAST_INTERVAL_MS}ms`, 'write an interval such as 30s')
  return yes({ kind: 'interval', everyMs: parsed.value })
}

const DATE = /^(\d{4})-(\d{2})-(\d{2})[ T]+(\d{2}):(\d{2})(?::(\d{2}))?$/

function readDate(text: string): ReturnType<Read<Trigger>> {
  const [, year, month, day, hour, minute, second = '00'] = DATE.exec(text) ?? []
  const example = 'write YYYY-MM-DD HH:MM:SS, such as 2026-12-01 08:00:00'
  if (year === undefined) return no('is not a date and time', example)
  const wallTime = `${year}-${month}-${day} ${hour}:${minute}:${second}`
  // An impossible one, such as February 30, comes back as another day.
  const at = new Date(`${wallTime.replace(' ', 'T')}Z`)
  if (Number.isNaN(at.getTime()) || !at.toISOString().startsWith(wallTime.replace(' ', 'T')))
    return no('is not in the calendar', example)
  return yes({ kind: 'date', wallTime })
}

export const CRON_HINT =
  'write minute hour day month weekday, such as 30 3 * * 1-5, with seconds in front if needed'

/** `what is wrong. what to write instead` */
export function splitRemedy(text: string, otherwise: string): readonly [string, string] {
  const at = text.indexOf('. ')
  return at < 0 ? [text, otherwise] : [text.slice(0, at), text.slice(at + 2)]
}

/** Judges a schedule that is not in a file, in the words of `taskd check`. */
export function judgeRunTime(
  word: TriggerWord,
  text: string,
  timezone: string,
  checkSchedule: CheckSchedule,
): Parsed<Trigger> {
  if (text.length > MAX_RUN_TIME) return { ok: false, reason: 'is too long for a schedule' }
  const read = readRunTime(word, text)
  if (!read.ok) return { ok: false, reason: worded(read.reason, read.hint ?? '') }
  const { problem } = checkSchedule(read.value, timezone)
  if (problem === undefined) return read
  return { ok: false, reason: worded(...splitRemedy(problem, word === 'cron' ? CRON_HINT : '')) }
}

/** Longer than any column for it. */
const MAX_RUN_TIME = 10_000

function worded(reason: string, hint: string): string {
  return hint === '' ? reason : `${reason}. ${hint}`
}
