import { Hono } from 'hono'
import type { Control } from '../control.ts'

export function configRoutes(control: Control) {
  return new Hono()
    .get('/config/plan', async c => c.json(await control.plan()))
    .post('/config/reload', async c => c.json(await control.reload()))
}
