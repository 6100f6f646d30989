import { Hono } from 'hono'
import { body } from '../input.ts'
import type { NotifyControl } from '../notify-port.ts'
import { nameQuery } from '../schemas.ts'

export function notifyRoutes(control: NotifyControl) {
  return new Hono().post('/notify/test', body(nameQuery), async c =>
    c.json(await control.testNotify(c.req.valid('json').name)),
  )
}
