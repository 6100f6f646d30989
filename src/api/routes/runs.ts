import { Hono } from 'hono'
import type { Control } from '../control.ts'
import { query } from '../input.ts'
import { runsQuery } from '../schemas.ts'

export function runRoutes(control: Control) {
  return new Hono().get('/runs', query(runsQuery), async c => {
    const { limit, job, task_key } = c.req.valid('query')
    const runs = await control.runs({
      limit,
      ...(job !== undefined && { job }),
      ...(task_key !== undefined && { task_key }),
    })
    return c.json(runs)
  })
}
