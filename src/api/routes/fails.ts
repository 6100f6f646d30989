import { Hono } from 'hono'
import type { Control } from '../control.ts'
import { query } from '../input.ts'
import { failsQuery } from '../schemas.ts'

export function failRoutes(control: Control) {
  return new Hono().get('/fails', query(failsQuery), async c => {
    const { limit, job, task_key } = c.req.valid('query')
    const rows = await control.fails({
      limit,
      ...(job !== undefined && { job }),
      ...(task_key !== undefined && { task_key }),
    })
    return c.json(rows)
  })
}
