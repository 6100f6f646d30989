import { type Context, Hono } from 'hono'
import type { Control, Scripts } from '../control.ts'
import { exactJson } from '../exact.ts'
import { body } from '../input.ts'
import { idBody, pushBody, runBody } from '../schemas.ts'

/** What the port is told of the caller of a request beside what is asked for. */
export type ScriptsOf = (c: Context) => readonly [scripts?: Scripts]

/**
 * Tasks are named in the body: an id may be any text, and a path would eat `..` and slashes.
 * Whoever waits for an answer and leaves ends the wait: the request's signal says so.
 */
export function taskRoutes(control: Control, scriptsOf: ScriptsOf = () => []) {
  return new Hono()
    .post('/tasks/push', body(pushBody), async c =>
      exactJson(c, await control.push(c.req.valid('json'), c.req.raw.signal, ...scriptsOf(c))),
    )
    .post('/tasks/run', body(runBody), async c => {
      const { job, wait } = c.req.valid('json')
      return exactJson(c, await control.runJob(job, { wait }, c.req.raw.signal))
    })
    .post('/tasks/retry', body(idBody), async c =>
      c.json(await control.retry(c.req.valid('json').unique_task_id, ...scriptsOf(c))),
    )
    .post('/tasks/cancel', body(idBody), async c =>
      c.json(await control.cancel(c.req.valid('json').unique_task_id)),
    )
}
