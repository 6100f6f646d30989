import { z } from 'zod'
import type { DoorModule } from '../door-routes.ts'

/** For load balancers and probes, which have no secret: cheap, and without details. */
export function healthRoutes(notReady: () => readonly string[]): DoorModule {
  return door => {
    door.add({
      access: 'open',
      method: 'get',
      path: '/healthz',
      tag: 'Health',
      summary: 'Is the process alive?',
      params: z.object({}),
      answers: { 200: { description: 'it is', schema: z.object({ ok: z.literal(true) }) } },
      handle: (_params, c) => c.json({ ok: true }),
    })
    door.add({
      access: 'open',
      method: 'get',
      path: '/readyz',
      tag: 'Health',
      summary: 'Can it take work?',
      description: 'Answers 503 while Redis is away, and while taskd starts, drains or stops.',
      params: z.object({}),
      answers: {
        200: { description: 'it can', schema: z.object({ ready: z.literal(true) }) },
        503: {
          description: 'it cannot',
          schema: z.object({ ready: z.literal(false), reasons: z.array(z.string()) }),
        },
      },
      handle: (_params, c) => {
        const reasons = notReady()
        return reasons.length === 0
          ? c.json({ ready: true })
          : c.json({ ready: false, reasons }, 503)
      },
    })
  }
}
