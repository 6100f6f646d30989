import type { Context } from 'hono'
import { z } from 'zod'
import { type BrokerPort, RESULT_STATES } from '../broker-port.ts'
import type { DoorModule } from '../door-routes.ts'
import { exactJson } from '../exact.ts'
import { onceById, onceHeaders, onceOf } from '../once.ts'

const text = z.string().max(131_071)
/** Seconds, as a number or as text. */
const seconds = z.union([z.number(), text])

const times = {
  task_key: text.optional().describe('The queue. Without it async_tasks.'),
  start_time: seconds
    .optional()
    .describe('Not before this: Unix seconds, or ISO 8601. What is past means now.'),
  time_interval: z
    .union([z.number(), text, z.array(z.union([z.number(), text])).max(1000)])
    .optional()
    .describe('The seconds before the first, second, … retry: "10 60 300".'),
  max_run_time: seconds.optional().describe('Seconds; what runs longer is ended.'),
  uuid: z
    .uuid('is no UUID')
    .transform(text => text.toLowerCase())
    .optional()
    .describe(
      'The id of the task, if you choose it: a call with the same one makes no second task.',
    ),
}

const scriptParams = z.object({
  bin_name: text.describe('A file in bin_path.'),
  args: seconds.optional().describe('Its arguments, with blanks between them.'),
  ...times,
})

const rpcParams = z.object({
  method: text.describe('GET, POST, PUT or DELETE.'),
  url: text,
  args: z
    .union([text, z.record(z.string(), z.unknown()), z.array(z.unknown())])
    .optional()
    .describe('JSON: the body for POST and PUT, the query for GET and DELETE.'),
  ...times,
})

const uuid = text.min(1).describe('As the task was answered with.')
const uuidAnswer = z.object({ uuid: z.string() })
const result = z.object({
  uuid: z.string(),
  is_result_exist: z.boolean(),
  is_success: z.boolean(),
  message: z.string(),
  state: z.enum(RESULT_STATES),
  attempts: z.int(),
  code: z.string(),
  data: z.unknown(),
  task_key: z.string(),
  next_run: z.string(),
})
const missing = result.extend({ error: z.object({ code: z.string(), message: z.string() }) })

const TAG = 'Task broker'
const READERS = ['read', 'push'] as const

/** What makes a call repeatable: an id that the caller has chosen, or his name for the call. */
function named(c: Context, route: string, uuid: string | undefined, asked: object) {
  const body = [route, uuid ?? '', asked]
  const byHeader = onceOf(c, route, body)
  // The id decides: under two keys it would still be one task.
  const once = uuid === undefined ? byHeader : onceById(uuid, body)
  return { ...(uuid !== undefined && { uuid }), ...(once && { once }) }
}

/** Tasks that name a file of bin_path or a URL, what became of them, and how many there are. */
export function brokerRoutes(broker: BrokerPort): DoorModule {
  return door => {
    door.add({
      access: 'push',
      method: 'post',
      path: '/api/task/script',
      tag: TAG,
      summary: 'Run a file of bin_path',
      params: scriptParams,
      answers: { 200: { description: 'it is queued', schema: uuidAnswer } },
      headers: onceHeaders,
      async handle({ task_key = '', uuid, args, ...fields }, c) {
        const request = { ...fields, ...(args !== undefined && { args: String(args) }) }
        const asked = { task_key, fields: request }
        return c.json(await broker.pushScript({ ...asked, ...named(c, 'script', uuid, asked) }))
      },
    })
    door.add({
      access: 'push',
      method: 'post',
      path: '/api/task/rpc',
      tag: TAG,
      summary: 'Make an HTTP request',
      params: rpcParams,
      answers: { 200: { description: 'it is queued', schema: uuidAnswer } },
      headers: onceHeaders,
      async handle({ task_key = '', uuid, ...fields }, c) {
        const asked = { task_key, fields }
        return c.json(await broker.pushRpc({ ...asked, ...named(c, 'rpc', uuid, asked) }))
      },
    })
    for (const path of ['/api/task/result/{uuid}', '/api/task/result'] as const)
      door.add({
        access: READERS,
        method: 'get',
        path,
        tag: TAG,
        summary: 'What became of a task',
        params: z.object({ uuid }),
        answers: {
          200: { description: 'its result, or where it is', schema: result },
          404: { description: 'unknown, or no longer kept', schema: missing },
        },
        async handle(params, c) {
          const found = await broker.result(params.uuid)
          if (found.state !== 'unknown' && found.state !== 'expired') return exactJson(c, found)
          return c.json({ ...found, error: { code: 'E_NO_TASK', message: found.message } }, 404)
        },
      })
    door.add({
      access: 'push',
      method: 'delete',
      path: '/api/task/{uuid}',
      tag: TAG,
      summary: 'Cancel a task',
      params: z.object({ uuid }),
      answers: {
        200: {
          description: 'it was taken off its queue, or is being ended',
          schema: uuidAnswer.extend({ was: z.enum(['waiting', 'running']) }),
        },
        404: { description: 'no such task is waiting or running' },
      },
      async handle(params, c) {
        const { was } = await broker.cancel(params.uuid)
        return c.json({ uuid: params.uuid, was })
      },
    })
    addCounts(door, broker)
  }
}

function addCounts(door: Parameters<DoorModule>[0], broker: BrokerPort): void {
  door.add({
    access: READERS,
    method: 'get',
    path: '/api/task/count/undo',
    tag: TAG,
    summary: 'How many tasks wait to be run',
    params: z.object({ task_key: text.default('').describe('One queue; without it, all.') }),
    answers: { 200: { description: 'so many', schema: z.object({ count: z.int() }) } },
    handle: async ({ task_key }, c) => c.json({ count: await broker.undone(task_key) }),
  })
  for (const which of ['success', 'failure'] as const)
    door.add({
      access: READERS,
      method: 'get',
      path: `/api/task/result/${which}/{date}`,
      tag: TAG,
      summary: `How many tasks ended with ${which} on a day`,
      description: 'Final verdicts of all tasks, by the days of the time zone of taskd.',
      params: z.object({ date: text.describe('2026-11-21, or 20261121.') }),
      answers: {
        200: {
          description: 'so many',
          schema: z.object({ date: z.string(), count: z.int() }),
        },
        404: { description: 'more than 30 days ago' },
      },
      handle: async ({ date }, c) => c.json(await broker.dayCount(which, date)),
    })
}
