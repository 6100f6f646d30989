import { z } from 'zod'
import type { DoorModule } from '../../api/door-routes.ts'
import { TaskdError } from '../../lib/errors.ts'
import type { PingStatus } from './status.ts'

/** Whether a URL answers. @param find the ping of a name */
export function pingRoutes(find: (name: string) => PingStatus | undefined): DoorModule {
  return door => {
    door.add({
      access: 'read',
      method: 'get',
      path: '/api/ping/{name}',
      tag: 'Pings',
      summary: 'Whether a URL answers',
      params: z.strictObject({ name: z.string().describe('The NAME of [ping:NAME].') }),
      answers: {
        200: { description: 'how it is', schema: z.looseObject({ ok: z.boolean() }) },
        404: { description: 'no such ping' },
      },
      handle({ name }, c) {
        const found = find(name)
        if (found) return c.json(found)
        throw new TaskdError('E_NO_NAME', `no ping named ${name.slice(0, 64)}`)
      },
    })
  }
}
