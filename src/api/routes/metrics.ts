import { z } from 'zod'
import type { Control } from '../control.ts'
import type { DoorModule } from '../door-routes.ts'
import type { Status } from '../status.ts'

/** What counts and measures; the master has it made. */
export interface MetricsPort {
  /** Of a request that was answered. @param route `GET /pattern`, or `unknown` */
  answered(route: string, status: number, ms: number): void
  /** Everything as Prometheus reads it. */
  render(status: Status): Promise<string>
  readonly contentType: string
}

export function metricsRoute(metrics: MetricsPort, control: Control): DoorModule {
  return door =>
    door.add({
      access: 'read',
      method: 'get',
      path: '/metrics',
      tag: 'Health',
      summary: 'Counts and measures, in the text format of Prometheus',
      params: z.object({}),
      answers: { 200: { description: 'the metrics, as text/plain; version=0.0.4' } },
      handle: async (_params, c) =>
        c.body(await metrics.render(await control.status()), 200, {
          'content-type': metrics.contentType,
        }),
    })
}
