import { Hono } from 'hono'
import { z } from 'zod'
import type { Control } from '../control.ts'
import { flag, integer } from '../fields.ts'
import { body, query } from '../input.ts'
import { MAX_BACKFILL, USUAL_BACKFILL } from '../schedule-port.ts'
import { nameQuery } from '../schemas.ts'

const job = z.string().min(1).max(255)
const time = z.string().max(100)

const backfillBody = z.object({
  job,
  from: time,
  to: time.default(''),
  dry_run: flag().default(false),
  limit: integer(1, MAX_BACKFILL).default(USUAL_BACKFILL),
  again: z
    .string()
    .regex(/^\w{0,20}$/, 'is no word of up to 20 letters and digits')
    .default(''),
})
const cursorBody = z.object({ job, to: time, dry_run: flag().default(false) })

/** The past ticks of a job, and its cursor. */
export function scheduleRoutes(control: Control) {
  return new Hono()
    .post('/jobs/backfill', body(backfillBody), async c =>
      c.json(await control.backfill(c.req.valid('json'), c.req.raw.signal)),
    )
    .get('/jobs/cursor', query(nameQuery), async c =>
      c.json(await control.cursor(c.req.valid('query').name)),
    )
    .post('/jobs/cursor', body(cursorBody), async c => {
      const { job, ...request } = c.req.valid('json')
      return c.json(await control.setCursor(job, request))
    })
}
