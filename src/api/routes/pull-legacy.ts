import type { Context } from 'hono'
import { z } from 'zod'
import { TaskdError } from '../../lib/errors.ts'
import { memberOf } from '../../model/json-slices.ts'
import { type Claimed, MAX_PULL_BATCH, type ReportAnswer } from '../../model/pull.ts'
import type { DoorEnv, DoorModule } from '../door-routes.ts'
import { failureOf, refuse } from '../errors.ts'
import { integer } from '../fields.ts'
import { oldFailure, oldRefusal, oldSuccess } from '../old-dialect.ts'
import { PUSH_LIMITS, readPush, reported, taskFields } from '../pull-params.ts'
import type { PullPort } from '../pull-port.ts'
import { addressOf } from './pull.ts'

/**
 * The paths of the older scheduler whose clients pull queues still serve: the same queues under the
 * old names, with the answers that its clients expect (old-dialect.ts). They send JSON with GET as
 * well as with POST.
 */
const PUSHES = {
  queue: { errcode: '102', summary: 'Hand in one task' },
  queues: { errcode: '103', summary: 'Hand in several tasks' },
  promote: { errcode: '104', summary: 'Hand in one task, or several, in front of all others' },
} as const
type PushName = keyof typeof PUSHES

const TAG = 'Pull queues, old paths'
const queue = {
  queue: z.string().min(1).max(255).optional().describe('The only pull queue when not given.'),
}
const answer = z.looseObject({
  code: z.enum(['1', '0', '403']).describe('`1`: success. `403`: a wrong secret.'),
  msg: z.string().describe('`success`, or what was wrong.'),
  timestamp: z.int(),
})
const answers = { 200: { description: '`code` says whether it is done', schema: answer } }
/** A client reports all that it could not report while the master was away, in one call. */
const MAX_IDS = 100_000
/** Four for each of them: an object with its attempt and a message. */
const REPORT_LIMITS = { values: 4 * MAX_IDS, atOnce: 1000 }
const ids = z.array(reported).max(MAX_IDS).default([]).describe('Ids.')
const MAX_BODY_BYTES = 16 << 20

export function legacyPullRoutes(port: PullPort): DoorModule {
  return door => {
    for (const method of ['get', 'post'] as const) {
      for (const name of ['queue', 'queues', 'promote'] as const)
        door.add({
          access: 'push',
          method,
          path: `/${name}`,
          tag: TAG,
          summary: PUSHES[name].summary,
          params: z.looseObject({ ...queue, ...taskFields }),
          listAs: 'tasks',
          maxBodyBytes: MAX_BODY_BYTES,
          bodyLimits: PUSH_LIMITS,
          getBody: true,
          refusal: oldRefusal(PUSHES[name].errcode),
          answers,
          handle: (params, c) => pushed(c, port, name, params),
        })
      door.add({
        access: 'pull',
        method,
        path: '/get_tasks',
        tag: TAG,
        summary: 'Fetch tasks; `count` may be a header too',
        params: z.object({ ...queue, count: counted.optional() }),
        getBody: true,
        refusal: oldRefusal('105'),
        answers,
        async handle(params, c) {
          const count = params.count ?? countOf(c.req.header('count'))
          const { tasks } = await port.claim(queueOf(c, port, params.queue), count, addressOf(c))
          return oldSuccess(c, {}, `"tasks":[${tasks.map(withId).join(',')}]`)
        },
      })
      door.add({
        access: 'pull',
        method,
        path: '/back_taskids',
        tag: TAG,
        summary: 'Say which tasks are done, and which have failed',
        params: z.object({ ...queue, finish: ids, failed: ids }),
        maxBodyBytes: MAX_BODY_BYTES,
        bodyLimits: REPORT_LIMITS,
        getBody: true,
        refusal: oldRefusal('106'),
        answers,
        async handle({ queue: name, finish, failed }, c) {
          const taskKey = queueOf(c, port, name)
          const done = await port.report(taskKey, { finish, failed: [], returned: [] })
          try {
            const lost = await port.report(taskKey, { finish: [], failed, returned: [] })
            const all = [...done.finish, ...lost.failed]
            return oldSuccess(c, {
              finish: done.finish.filter(isCounted).length,
              failed: lost.failed.filter(isCounted).length,
              unknown: all.filter(one => one.answer === 'unknown').map(one => one.id),
            })
          } catch (error) {
            if (!(error instanceof TaskdError)) throw error
            return refuse(c, failureOf(error), oldRefusal('107'))
          }
        },
      })
    }
  }
}

const counted = integer(1, MAX_PULL_BATCH).describe('1 to 5,000; 500.')
const USUAL_COUNT = 500

/** Of the header; there, what is no number meant the usual one, and any number was taken. */
function countOf(header = ''): number {
  const count = /^\s*-?\d+\s*$/.test(header) ? Number(header) : USUAL_COUNT
  return Math.min(Math.max(0, count), MAX_PULL_BATCH)
}

async function pushed(
  c: Context<DoorEnv>,
  port: PullPort,
  name: PushName,
  params: Readonly<Record<string, unknown>>,
): Promise<Response> {
  const { tasks, promote } = await readPush(params, c)
  // A task may have a field of this name itself.
  const taskKey = queueOf(c, port)
  const { answers: all } = await port.push(taskKey, tasks, {
    promote: name === 'promote' || promote,
  })
  const data = all.map(one => ({ task_id: one.id, answer: one.answer }))
  const { errcode } = PUSHES[name]
  const full = all.filter(one => one.answer === 'full').length
  if (full > 0) {
    const msg = `full: ${full} of ${all.length} tasks have not fit into queue ${taskKey}. push them again later`
    return oldFailure(c, msg, errcode, { data })
  }
  // Only here it was said: several may be handed in again, and what waits may be moved in front.
  const duplicate = name === 'queue' && all.every(one => one.answer === 'duplicate')
  return duplicate ? oldFailure(c, 'duplicate', errcode, { data }) : oldSuccess(c, { data })
}

/** @throws TaskdError E_BAD_REQUEST, E_NO_QUEUE when it is not clear which one */
function queueOf(c: Context<DoorEnv>, { names }: PullPort, given = c.req.query('queue')): string {
  const [only] = names
  if (given !== undefined) return given
  if (only === undefined)
    throw new TaskdError(
      'E_NO_QUEUE',
      'there is no pull queue',
      'add [queue:NAME] with mode = pull',
    )
  if (names.length === 1) return only
  const which = `there are several pull queues: ${names.slice(0, 20).join(', ')}`
  throw new TaskdError('E_BAD_REQUEST', which, 'say which one with ?queue=NAME')
}

/** As it was handed in; its clients look for the id in it. */
function withId({ id, content }: Claimed): string {
  if (memberOf(content, 'task_id') !== undefined) return content
  const rest = content.replace(/^\s*\{\s*/, '')
  return `{"task_id":${JSON.stringify(id)}${rest.startsWith('}') ? '' : ','}${rest}`
}

function isCounted({ answer }: ReportAnswer): boolean {
  return answer === 'finished' || answer === 'requeued' || answer === 'dead'
}
