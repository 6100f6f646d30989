import { parseDuration } from '../lib/duration.ts'
import { field, no, yes } from './fields.ts'

export interface Rate {
  readonly max: number
  readonly durationMs: number
}

const RATE = /^(\d{1,9})\s*\/\s*(\S+)$/

/** `10/1s`, `10/s`, `600/1m`: at most so many in so long. */
export const rate = field<Rate>(text => {
  const [, count, time = ''] = RATE.exec(text) ?? []
  if (count === undefined) return no('is not a rate')
  const parsed = parseDuration(/^[a-z]+$/.test(time) ? `1${time}` : time)
  if (!parsed.ok) return no(`${JSON.stringify(time.slice(0, 40))} ${parsed.reason}`)
  if (Number(count) === 0 || parsed.value === 0) return no('lets nothing through')
  return yes({ max: Number(count), durationMs: parsed.value })
}, '10/1s')
