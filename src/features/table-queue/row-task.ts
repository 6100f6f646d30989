import { parseIso, parseUnixSeconds } from '../../lib/calendar.ts'
import type { Parsed } from '../../lib/parsed.ts'
import type { SourceSpec } from '../../model/source.ts'
import { MAX_ID_LENGTH, parseTask, type Task } from '../../model/task.ts'
import { upcoming } from '../../schedule/next-times.ts'
import { parseWallTime } from '../../schedule/wall-time.ts'
import type { ReadyRow } from './table.ts'

const DAY = 86_400_000
/** The room in an id for what surrounds the row's key: `source@NAME@…@MARK-CLAIM`. */
const AROUND_KEY = 110
const MAX_KEY_LENGTH = MAX_ID_LENGTH - AROUND_KEY
const PARTS = ['script', 'controller', 'function', 'param'] as const
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The task that a row stands for, without its id; or why it stands for none. */
export function taskOfRow(spec: SourceSpec, row: ReadyRow): Parsed<Omit<Task, 'id'>> {
  if (row.id.length > MAX_KEY_LENGTH)
    return no(`its key is longer than ${MAX_KEY_LENGTH} characters`)
  if (/\p{Cc}/u.test(row.id)) return no('its key has control characters')
  const message: Record<string, unknown> = {}
  for (const part of PARTS) {
    const value = valueOf(spec[`${part}Column`] === undefined ? spec.task[part] : row[part])
    if (!value.ok) return no(`its ${part} is not UTF-8`)
    message[part] = value.value
  }
  const startAt = startOf(row.startTime, spec.timezone)
  if (!startAt.ok) return startAt
  const parsed = parseTask({ ...message, priority: row.priority }, spec.task.taskKey, row.id)
  if (!parsed.ok) return parsed
  const { script, controller, function: called, param, priority } = parsed.value
  const own = row.priority === undefined || row.priority === null
  return {
    ok: true,
    value: {
      ...spec.task,
      script,
      controller,
      function: called,
      param,
      job: '',
      priority: own ? spec.task.priority : priority,
      ...(startAt.value !== undefined && { startAt: startAt.value }),
    },
  }
}

function no(reason: string) {
  return { ok: false, reason } as const
}

/** A column as the driver returns it, turned into what a message may hold. */
function valueOf(value: unknown): Parsed<unknown> {
  if (typeof value === 'bigint') return { ok: true, value: String(value) }
  if (value instanceof Date) return { ok: true, value: value.toISOString() }
  // SQLite's driver has ArrayBuffers.
  if (!(value instanceof Uint8Array || value instanceof ArrayBuffer)) return { ok: true, value }
  try {
    return { ok: true, value: utf8.decode(value) }
  } catch {
    return no('not UTF-8')
  }
}

/** Years of MySQL's `0000-00-00 00:00:00`, and what else means "no time". */
const NEVER = /^(?:0*|0000-00-00.*)$/
const WITH_OFFSET =
  /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(Z|[+-]\d\d(?::?\d\d)?)$/

/** Unix seconds, a time with its offset, or what a clock in `timezone` shows. */
function startOf(text: string | null | undefined, timezone: string): Parsed<number | undefined> {
  const trimmed = (text ?? '').trim()
  if (NEVER.test(trimmed)) return { ok: true, value: undefined }
  const seconds = parseUnixSeconds(trimmed)
  if (seconds) return seconds.ok ? seconds : no(`its start time ${trimmed}: ${seconds.reason}`)
  const [, day, time, offset = ''] = WITH_OFFSET.exec(trimmed) ?? []
  if (day !== undefined) {
    const at = parseIso(`${day}T${time}${offset.length === 3 ? `${offset}:00` : offset}`)
    if (at) return at.ok ? at : no(`its start time ${trimmed}: ${at.reason}`)
  }
  const wallTime = trimmed.replace(/\.\d+$/, '').replace(/^(\d{4}-\d\d-\d\d)$/, '$1 00:00:00')
  const parsed = parseWallTime(wallTime)
  if ('problem' in parsed) return no(`its start time ${parsed.problem}`)
  const from = parsed.wall - 4 * DAY
  const [found] = upcoming({ kind: 'date', wallTime }, timezone, from, 1)
  return { ok: true, value: found?.at ?? parsed.wall }
}
