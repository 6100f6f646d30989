import { Hono } from 'hono'
import type { Control } from '../control.ts'
import { query } from '../input.ts'
import { nameQuery } from '../schemas.ts'

export function whyRoutes(control: Control) {
  return new Hono().get('/why', query(nameQuery), async c =>
    c.json(await control.why(c.req.valid('query').name)),
  )
}
