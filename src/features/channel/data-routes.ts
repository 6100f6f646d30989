import { z } from 'zod'
import type { DoorModule } from '../../api/door-routes.ts'
import { check } from '../../api/input.ts'
import type { DataPort } from './data-port.ts'

/** As many rows as a channel may be configured to take. */
const MAX_ROWS = 100_000
const MAX_BODY_BYTES = 64 << 20
/** Twenty for each row. */
const BODY_LIMITS = { values: 20 * MAX_ROWS, atOnce: MAX_ROWS }

const channel = z.string().min(1).max(64).describe('The NAME of [channel:NAME].')
/** What people can read in a log and a database can hold as a key. */
const batchId = z
  .string()
  .regex(/^[\x21-\x7E]{1,128}$/, 'must be 1 to 128 printable ASCII characters without blanks')
  .describe(
    'Your name for this batch: one that comes twice is stored once. Also as a header, batch-id.',
  )

const params = z.strictObject({
  channel,
  rows: z
    .array(z.unknown())
    .max(MAX_ROWS)
    .describe('Objects; a body that is a list is the rows. All are stored, or none.'),
  batch_id: batchId.optional(),
})

const headers = z.object({ 'batch-id': batchId.optional() })

const duplicate = z.literal(true).optional().describe('This batch was there before.')

/** Rows into the tables of channels. */
export function dataRoutes(port: DataPort): DoorModule {
  return door => {
    door.add({
      access: 'push',
      method: 'post',
      path: '/api/data/{channel}',
      tag: 'Channels',
      summary: 'Put rows into the table of a channel',
      description:
        'While the database is away, batches wait on disk in their order and the answer is 202.',
      params,
      listAs: 'rows',
      maxBodyBytes: MAX_BODY_BYTES,
      bodyLimits: BODY_LIMITS,
      answers: {
        200: { description: 'in the table', schema: z.object({ inserted: z.int(), duplicate }) },
        202: {
          description: 'on disk, and on its way',
          schema: z.object({ spooled: z.int(), duplicate }),
        },
        404: { description: 'no such channel' },
      },
      async handle({ channel, rows, batch_id }, c) {
        const header = c.req.header('batch-id')
        const given = batch_id ?? check(headers, { 'batch-id': header })['batch-id']
        const answer = await port.insert(channel, { rows, batchId: given })
        return c.json(answer, 'spooled' in answer ? 202 : 200)
      },
    })
  }
}
