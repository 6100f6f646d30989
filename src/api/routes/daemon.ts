import { Hono } from 'hono'
import type { Control } from '../control.ts'
import { body } from '../input.ts'
import { shutdownBody } from '../schemas.ts'

export function daemonRoutes(control: Control) {
  return new Hono()
    .post('/daemon/shutdown', body(shutdownBody), async c => {
      await control.shutdown(c.req.valid('json'))
      return c.json({ ok: true }, 202)
    })
    .post('/daemon/drain', async c => c.json(await control.drain()))
}
