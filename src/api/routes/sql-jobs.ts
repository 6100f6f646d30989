import { Hono } from 'hono'
import { z } from 'zod'
import { flag } from '../fields.ts'
import { body, query } from '../input.ts'
import type { SqlJobsPort } from '../sql-jobs-port.ts'

/** Wide enough to be told by name what is too long. */
const text = z.string().max(10_000)
const key = text.min(1)

const addBody = z.object({
  task_key: text,
  execute_func: text,
  trigger: text,
  spec: text,
  args: text.default(''),
  is_valid: flag().default(true),
})

const changeBody = z.object({
  task_key: key,
  is_valid: flag().optional(),
  spec: text.optional(),
})

const historyQuery = z.object({
  limit: z.coerce.number().int().min(1).max(10_000).default(20),
  task_key: key.optional(),
})

/** Rows are named in the body: a key may be any text. */
export function sqlJobRoutes(control: SqlJobsPort) {
  return new Hono()
    .get('/sql-jobs', async c => c.json(await control.listSqlJobs()))
    .post('/sql-jobs/add', body(addBody), async c =>
      c.json(await control.addSqlJob(c.req.valid('json'))),
    )
    .post('/sql-jobs/change', body(changeBody), async c => {
      const { task_key, is_valid, spec } = c.req.valid('json')
      const change = {
        task_key,
        ...(is_valid !== undefined && { is_valid }),
        ...(spec !== undefined && { spec }),
      }
      return c.json(await control.changeSqlJob(change))
    })
    .get('/sql-jobs/history', query(historyQuery), async c => {
      const { limit, task_key } = c.req.valid('query')
      return c.json(
        await control.sqlJobHistory({ limit, ...(task_key !== undefined && { task_key }) }),
      )
    })
}
