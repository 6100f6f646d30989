import { z } from 'zod'
import { turns } from '../../api/body.ts'
import type { DoorModule } from '../../api/door-routes.ts'
import { listText } from '../../api/json-text.ts'
import { TaskdError } from '../../lib/errors.ts'
import type { EncryptPort } from './encrypt-port.ts'

const MAX_ROWS = 100_000
const MAX_BODY_BYTES = 64 << 20
/** Twenty for each row. */
const BODY_LIMITS = { values: 20 * MAX_ROWS, atOnce: MAX_ROWS }

/** Not strict: an upstream may understand more. */
const params = z.looseObject({
  channel: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('The NAME of [channel:NAME]; may be left out where only one channel encrypts.'),
  rows: z.array(z.unknown()).max(MAX_ROWS).optional().describe('Objects.'),
  fields: z.record(z.string(), z.unknown()).optional().describe('A single row.'),
})

const row = z.record(z.string(), z.unknown())

/** The secret fields of rows, encrypted. */
export function encryptRoutes(port: EncryptPort): DoorModule {
  return door => {
    door.add({
      access: 'push',
      method: 'post',
      path: '/api/encrypt',
      tag: 'Channels',
      summary: 'Encrypt the secret fields of rows',
      description:
        'The fields that the channel names in encrypt come back encrypted, the others as they are. ' +
        'With encrypt_url the service there answers instead.',
      params,
      maxBodyBytes: MAX_BODY_BYTES,
      bodyLimits: BODY_LIMITS,
      answers: {
        200: {
          description: 'the rows or the fields, as they were asked for',
          schema: z.object({ rows: z.array(row).optional(), fields: row.optional() }),
        },
        404: { description: 'no such channel' },
      },
      async handle(whole, c) {
        const { channel, rows, fields } = whole
        const answer = await port.encrypt({ channel, rows, fields, whole })
        switch (answer.kind) {
          case 'rows':
            return c.body(listText('rows', answer.rows), 200, {
              'content-type': 'application/json',
            })
          case 'fields':
            await turns.wait()
            return c.json({ fields: answer.fields })
          case 'upstream': {
            const { status, contentType, body } = answer
            // A redirect is not for our caller to follow, and means that the address is wrong.
            if (status < 200 || (status >= 300 && status < 400)) throw redirected(status)
            const bare = status === 204 || status === 205
            return new Response(bare ? null : body, {
              status,
              headers: { 'content-type': contentType },
            })
          }
        }
      },
    })
  }
}

function redirected(status: number): TaskdError {
  return new TaskdError(
    'E_UPSTREAM_AWAY',
    `the service at encrypt_url answers with ${status}, which is no answer`,
    'set encrypt_url to the address that it redirects to',
  )
}
