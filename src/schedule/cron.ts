import { FIELDS } from './cron-fields.ts'
import { type Cron, nextWall } from './cron-next.ts'
import { type FieldSet, fieldSet } from './cron-sets.ts'

export type ParsedCron = { readonly cron: Cron } | { readonly problem: string }

export const MACROS: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
}

const SHAPE = '5 fields (minute hour day month weekday), or 6 with seconds first'

/**
 * Parses a cron expression (not `@every` or `@reboot`: those are triggers); what is wrong with it
 * comes back as one line.
 */
export function parseCron(expression: string): ParsedCron {
  const text = expression.trim()
  if (text === '') {
    return { problem: `the cron expression is empty. write ${SHAPE}, or a macro such as @daily` }
  }
  if (text.length > 1000) return { problem: 'the cron expression is longer than 1000 characters' }
  if (text.startsWith('@')) return parseMacro(text)
  const fields = text.split(/\s+/)
  if (fields.length < 5 || fields.length > 6) {
    const year = fields.length === 7 ? ' (there is no year field)' : ''
    const count = `${fields.length} field${fields.length === 1 ? '' : 's'}`
    return { problem: `the cron expression has ${count}. write ${SHAPE}${year}` }
  }
  return parseFields(fields.length === 5 ? ['0', ...fields] : fields)
}

function parseMacro(text: string): ParsedCron {
  const expansion = MACROS[text.toLowerCase()]
  if (expansion !== undefined) return parseCron(expansion)
  const known = `${Object.keys(MACROS).join(' ')} @reboot, or @every with a duration`
  return { problem: `${printable(text.slice(0, 40))} is not known here. write one of ${known}` }
}

function parseFields(texts: readonly string[]): ParsedCron {
  const sets: FieldSet[] = []
  for (const [index, field] of FIELDS.entries()) {
    const set = fieldSet(field, texts[index] ?? '')
    if ('problem' in set) return { problem: printable(set.problem) }
    sets.push(set)
  }
  const [second, minute, hour, day, month, weekday] = sets as unknown as Six<FieldSet>
  const cron: Cron = {
    seconds: second.values,
    minutes: minute.values,
    hours: hour.values,
    days: maskOf(day.values),
    lastDay: day.last,
    months: maskOf(month.values),
    weekdays: maskOf(weekday.values),
    lastWeekdays: weekday.lastWeekdays,
    nthWeekdays: weekday.nthWeekdays,
    bothDays: day.star || weekday.star,
    wild: second.star || minute.star || hour.star,
    fields: texts,
  }
  if (nextWall(cron, Date.UTC(2000, 0, 1)) !== undefined) return { cron }
  return { problem: neverProblem(texts) }
}

function neverProblem(texts: readonly string[]): string {
  const [, , , day = '', month = '', weekday = ''] = texts
  if (/^[*?]$/.test(weekday)) {
    return `day ${day} of month ${month} never comes. write a day that the month has, or L for its last day`
  }
  return `no date is day ${day} of month ${month} and weekday ${weekday}. write days that can meet: both fields must match when one of them starts with *`
}

type Six<T> = readonly [T, T, T, T, T, T]

function maskOf(values: readonly number[]): number {
  return values.reduce((mask, value) => mask | (1 << value), 0)
}

/** The user's own text is quoted in a message: one line, no control characters. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, one => JSON.stringify(one).slice(1, -1))
}
