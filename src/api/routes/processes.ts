import { Hono } from 'hono'
import type { Control } from '../control.ts'
import { body } from '../input.ts'
import { namesBody } from '../schemas.ts'

/** Workers and programs by name. */
export function processRoutes(control: Control) {
  return new Hono()
    .post('/processes/start', body(namesBody), async c =>
      c.json(await control.change('start', c.req.valid('json').names)),
    )
    .post('/processes/stop', body(namesBody), async c =>
      c.json(await control.change('stop', c.req.valid('json').names)),
    )
    .post('/processes/restart', body(namesBody), async c =>
      c.json(await control.change('restart', c.req.valid('json').names)),
    )
}
