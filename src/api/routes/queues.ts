import { Hono } from 'hono'
import type { Control } from '../control.ts'
import { body } from '../input.ts'
import { namesBody, resumeBody, scaleBody } from '../schemas.ts'

/** Queues and jobs can be paused; a queue's workers can be more or fewer. */
export function queueRoutes(control: Control) {
  return new Hono()
    .post('/queues/pause', body(namesBody), async c =>
      c.json(await control.setPaused(c.req.valid('json').names, true)),
    )
    .post('/queues/resume', body(resumeBody), async c =>
      c.json(await control.setPaused(c.req.valid('json').names, false)),
    )
    .post('/queues/scale', body(scaleBody), async c => {
      const { name, count } = c.req.valid('json')
      return c.json(await control.scale(name, count))
    })
}
