import { z } from 'zod'
import type { DoorModule } from '../../api/door-routes.ts'
import { integer } from '../../api/fields.ts'
import type { RelayPort } from './port.ts'

const MAX_ITEMS = 10_000
const MAX_BODY_BYTES = 32 << 20
const BODY_LIMITS = { values: 1_000_000, atOnce: 100_000 }

const name = z.string().min(1).max(64).describe('The NAME of [relay:NAME].')

const takeParams = z.strictObject({
  name,
  count: integer(1, MAX_ITEMS).optional().describe('How many at most; max when left out.'),
})

const pushParams = z.strictObject({
  name,
  results: z
    .array(z.unknown())
    .max(MAX_ITEMS)
    .default([])
    .describe('Put on the list of results: texts as they are, anything else as JSON.'),
  done: z
    .array(z.string().min(1).max(64))
    .max(MAX_ITEMS)
    .default([])
    .describe('Ids of tasks that are dealt with and shall not come back.'),
  batch_id: z
    .string()
    .regex(/^[\x21-\x7E]{1,128}$/, 'must be 1 to 128 printable ASCII characters without blanks')
    .optional()
    .describe('Your name for this report: one that comes twice within a day counts once.'),
})

const task = z.object({
  id: z.string(),
  task: z.string().optional().describe('As it was on the list.'),
  task_base64: z.string().optional().describe('Instead, when it is not UTF-8.'),
})

/** Tasks of a second Redis, for those who reach only this machine. */
export function relayRoutes(port: RelayPort): DoorModule {
  return door => {
    door.add({
      access: 'pull',
      method: 'get',
      path: '/api/relay/{name}',
      tag: 'Relay',
      summary: 'Take tasks off the list of another Redis',
      description:
        'Each is lent for the lease of the relay, and goes back unless it is done by then.',
      params: takeParams,
      answers: {
        200: { description: 'the tasks', schema: z.object({ tasks: z.array(task) }) },
        404: { description: 'no such relay' },
      },
      async handle({ name, count }, c) {
        return c.json({ tasks: await port.take(name, count) })
      },
    })
    door.add({
      access: 'pull',
      method: 'post',
      path: '/api/relay/{name}',
      tag: 'Relay',
      summary: 'Put results on the list of another Redis, and let go of tasks',
      params: pushParams,
      maxBodyBytes: MAX_BODY_BYTES,
      bodyLimits: BODY_LIMITS,
      answers: {
        200: {
          description: 'both were done',
          schema: z.object({
            pushed: z.int(),
            done: z.int(),
            unknown: z.array(z.string()).describe('Ids that nobody held.'),
            duplicate: z.literal(true).optional(),
          }),
        },
        404: { description: 'no such relay' },
      },
      async handle({ name, results, done, batch_id }, c) {
        return c.json(await port.push(name, { results, done, batchId: batch_id }))
      },
    })
  }
}
