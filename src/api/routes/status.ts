import { Hono } from 'hono'
import type { Control } from '../control.ts'

export function statusRoutes(control: Control) {
  return new Hono().get('/status', async c => c.json(await control.status()))
}
