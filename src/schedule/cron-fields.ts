/** The fields of a cron expression and what they may contain. */
export interface Field {
  readonly name: 'second' | 'minute' | 'hour' | 'day' | 'month' | 'weekday'
  readonly min: number
  readonly max: number
  /** Three-letter names, in order from `min`. */
  readonly names: readonly string[]
}

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
const WEEKDAYS = 'sun mon tue wed thu fri sat'.split(' ')

/** In the order of a 6-field expression. */
export const FIELDS: readonly Field[] = [
  { name: 'second', min: 0, max: 59, names: [] },
  { name: 'minute', min: 0, max: 59, names: [] },
  { name: 'hour', min: 0, max: 23, names: [] },
  { name: 'day', min: 1, max: 31, names: [] },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'weekday', min: 0, max: 7, names: WEEKDAYS },
]

const RANGE = /^(\*|\?|[a-z0-9]+)(?:-([a-z0-9]+))?(?:\/([a-z0-9]*))?$/i

/**
 * What is wrong with one item of a field's list, or undefined. Stricter than the parser behind
 * it, which takes `*\/61` for an hourly job, and worded for the user who has to correct it.
 */
export function itemProblem(field: Field, item: string): string | undefined {
  const where = `in the ${field.name} field`
  if (item === '') return `there is an empty item ${where}. take the extra comma out`
  if (item.length > 40) return `${item.slice(0, 40)}… ${where} is not understood`
  if (/^h(\(|\/|$)/i.test(item)) {
    return `H ${where} is not supported: it hides the time behind a hash. write a fixed value, such as ${field.min + 2}, or spread jobs with jitter`
  }
  if (/^(\d+|l)w$/i.test(item)) {
    return `${item} ${where}: W (nearest weekday) is not supported. write 1-5 in the weekday field, or a list of days`
  }
  return (
    specialProblem(field, item, where) ??
    (isSpecial(field, item) ? undefined : rangeProblem(field, item, where))
  )
}

/** `L` in the day field, `5L` and `5#2` in the weekday field. */
function isSpecial(field: Field, item: string): boolean {
  if (field.name === 'day') return /^l$/i.test(item)
  return field.name === 'weekday' && /^(\d|[a-z]{3})(l|#[1-5])$/i.test(item)
}

function specialProblem(field: Field, item: string, where: string): string | undefined {
  if (!/^l(-.*)?$|^\w+l$|#/i.test(item) || valueOf(field, item) !== undefined) return undefined
  if (!isSpecial(field, item)) {
    if (field.name === 'day') {
      return `${item} ${where} is not supported. write L alone for the last day of the month`
    }
    if (field.name === 'weekday') {
      return `${item} ${where} is not understood. write 5L for the last Friday of the month, 5#2 for the second one`
    }
    return `${item} ${where} is not understood: L and # belong to the day and weekday fields`
  }
  if (field.name === 'day') return undefined
  return valueProblem(field, item.replace(/(l|#.*)$/i, ''), where)
}

function rangeProblem(field: Field, item: string, where: string): string | undefined {
  const match = RANGE.exec(item)
  if (!match) return `${item} ${where} is not understood. write ${exampleOf(field)}`
  const [, from = '', to, step] = match
  const star = from === '*' || from === '?'
  if (from === '?' && field.name !== 'day' && field.name !== 'weekday') {
    return `? ${where} is not supported. write *${step ? `/${step}` : ''}`
  }
  if (star && to !== undefined) {
    return `${item} ${where} is not understood: * already is every ${field.name}. write ${exampleOf(field)}`
  }
  return (
    (star ? undefined : valueProblem(field, from, where)) ??
    (to === undefined ? undefined : valueProblem(field, to, where)) ??
    (step === undefined ? undefined : stepProblem(field, item, { from, step }, where)) ??
    (to === undefined ? undefined : wrapProblem(field, item, { from, to, step }, where))
  )
}

function valueProblem(field: Field, text: string, where: string): string | undefined {
  const value = valueOf(field, text)
  if (value === undefined) {
    const names = field.names.length > 0 ? ` or ${namesOf(field)}` : ''
    return `${text} ${where} is not a value. write ${field.min}-${field.max}${names}`
  }
  if (value >= field.min && value <= field.max) return undefined
  return `${text} ${where} is out of range. write ${field.min}-${field.max}`
}

interface Range {
  readonly from: string
  readonly to: string
  readonly step: string | undefined
}

function wrapProblem(field: Field, item: string, range: Range, where: string): string | undefined {
  const start = valueOf(field, range.from) ?? 0
  const end = valueOf(field, range.to) ?? 0
  if (start <= end) return undefined
  return `${item} ${where} runs backwards. write ${forwards(field, start, end, Number(range.step ?? 1))}`
}

/** The ranges that a backward one stands for, as it wraps around at the end: `57-59/2,1-51/2`. */
function forwards(field: Field, from: number, end: number, step: number): string {
  const isWeekday = field.name === 'weekday'
  const last = isWeekday ? 6 : field.max
  // 7 is Sunday, too; a range that ends with it needs no second part.
  const start = isWeekday && from === 7 ? 0 : from
  if (start <= end) return span(start, end, step)
  if (isWeekday && end === 0) return span(start, 7, step)
  const reached = start + Math.floor((last - start) / step) * step
  const again = field.min + (reached + step - last - 1)
  const first = span(start, last, step)
  return again > end ? first : `${first},${span(again, end, step)}`
}

function span(from: number, to: number, step: number): string {
  if (from + step > to) return `${from}`
  return `${from}-${to}${step === 1 ? '' : `/${step}`}`
}

function stepProblem(
  field: Field,
  item: string,
  { from, step }: { readonly from: string; readonly step: string },
  where: string,
): string | undefined {
  if (!/^\d+$/.test(step)) {
    return `${item} ${where} has no number after the slash. write a step, such as */2`
  }
  if (Number(step) === 0)
    return `${item} ${where}: a step of 0 never moves. write * or a step from 1`
  if (Number(step) <= field.max) return undefined
  return `${item} ${where}: a step of ${step} is wider than the field (${field.min}-${field.max}). write a step up to ${field.max}, or ${valueOf(field, from) ?? field.min} for once`
}

function valueOf(field: Field, text: string): number | undefined {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const index = field.names.indexOf(text.toLowerCase())
  return index < 0 ? undefined : index + (field.name === 'month' ? 1 : 0)
}

function namesOf(field: Field): string {
  return `${field.names[0]?.toUpperCase()}-${field.names.at(-1)?.toUpperCase()}`
}

function exampleOf(field: Field): string {
  const { min } = field
  return `*, ${min + 1}, ${min + 1}-${min + 5}, ${min + 1},${min + 3} or */2`
}
