import { z } from 'zod'
import { QUEUE_MODES } from '../model/queue-spec.ts'
import { choice, duration, integer } from './fields.ts'
import { rate } from './rate.ts'

export const queueSchema = z.object({
  mode: choice(QUEUE_MODES).optional(),
  workers: integer(0, 1000, 1).optional(),
  concurrency: integer(1, 10_000, 16).optional(),
  rate: rate.optional(),
  period: duration('1s').optional(),
  capacity: integer(1, 1_000_000_000, 500_000).default(500_000),
  lease: duration('1d', 1000).optional(),
  retries: integer(0, 1000, 3).optional(),
  max_leases: integer(0, 1_000_000, 0).optional(),
  finish_keep: integer(0, 100_000_000, 100_000).optional(),
})
