import { Hono } from 'hono'
import type { Control } from '../control.ts'
import { body } from '../input.ts'
import { namesBody, signalBody } from '../schemas.ts'

/** Workers and programs by name. */
export function processRoutes(control: Control) {
  return new Hono()
    .post('/processes/start', body(namesBody), async c => {
      const { names, by } = c.req.valid('json')
      return c.json(await control.change('start', names, by))
    })
    .post('/processes/stop', body(namesBody), async c => {
      const { names, by } = c.req.valid('json')
      return c.json(await control.change('stop', names, by))
    })
    .post('/processes/restart', body(namesBody), async c => {
      const { names, by } = c.req.valid('json')
      return c.json(await control.change('restart', names, by))
    })
    .post('/processes/signal', body(signalBody), async c => {
      const { names, signal } = c.req.valid('json')
      return c.json(await control.signal(signal, names))
    })
}
