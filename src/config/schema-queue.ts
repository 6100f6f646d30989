import { z } from 'zod'
import { parseDuration } from '../lib/duration.ts'
import { QUEUE_MODES } from '../model/queue-spec.ts'
import { choice, duration, field, integer, no, yes } from './fields.ts'

const RATE = /^(\d{1,9})\s*\/\s*(\S+)$/

/** `10/1s`, `10/s`, `600/1m`: at most so many starts in so long. */
const rate = field<{ readonly max: number; readonly durationMs: number }>(text => {
  const [, count, time = ''] = RATE.exec(text) ?? []
  if (count === undefined) return no('is not a rate')
  const parsed = parseDuration(/^[a-z]+$/.test(time) ? `1${time}` : time)
  if (!parsed.ok) return no(`${JSON.stringify(time.slice(0, 40))} ${parsed.reason}`)
  if (Number(count) === 0 || parsed.value === 0) return no('lets nothing through')
  return yes({ max: Number(count), durationMs: parsed.value })
}, '10/1s')

export const queueSchema = z.object({
  mode: choice(QUEUE_MODES).optional(),
  workers: integer(0, 1000, 1).optional(),
  concurrency: integer(1, 10_000, 16).optional(),
  rate: rate.optional(),
  period: duration('1s').optional(),
  capacity: integer(1, 1_000_000_000, 500_000).default(500_000),
  lease: duration('1d', 1000).optional(),
  retries: integer(0, 1000, 3).optional(),
  finish_keep: integer(0, 100_000_000, 100_000).optional(),
})
