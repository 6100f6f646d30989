import { type Context, Hono } from 'hono'
import type { Control, Scripts } from '../control.ts'
import { exactJson } from '../exact.ts'
import { body } from '../input.ts'
import { onceOf } from '../once.ts'
import { idBody, pushBody, runBody } from '../schemas.ts'

/** What the port is told of the caller of a request beside what is asked for. */
export type ScriptsOf = (c: Context) => readonly [scripts?: Scripts]

/**
 * Tasks are named in the body: an id may be any text, and a path would eat `..` and slashes.
 * Whoever waits for an answer and leaves ends the wait: the request's signal says so.
 */
export function taskRoutes(control: Control, scriptsOf: ScriptsOf = () => []) {
  return new Hono()
    .post('/tasks/push', body(pushBody), async c => {
      const request = c.req.valid('json')
      const { task_key, task } = request
      const once = onceOf(c, 'push', { task_key, task })
      const named = { ...request, ...(once && { once }) }
      return exactJson(c, await control.push(named, c.req.raw.signal, ...scriptsOf(c)))
    })
    .post('/tasks/run', body(runBody), async c => {
      const { job, wait } = c.req.valid('json')
      const once = onceOf(c, 'run', { job })
      const options = { wait, ...(once && { once }) }
      return exactJson(c, await control.runJob(job, options, c.req.raw.signal))
    })
    .post('/tasks/retry', body(idBody), async c =>
      c.json(await control.retry(c.req.valid('json').unique_task_id, ...scriptsOf(c))),
    )
    .post('/tasks/cancel', body(idBody), async c =>
      c.json(await control.cancel(c.req.valid('json').unique_task_id)),
    )
}
