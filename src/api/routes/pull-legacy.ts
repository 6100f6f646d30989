import type { Context } from 'hono'
import { z } from 'zod'
import { realClock } from '../../lib/clock.ts'
import { TaskdError } from '../../lib/errors.ts'
import { memberOf } from '../../model/json-slices.ts'
import { type Claimed, MAX_PULL_BATCH, type ReportAnswer } from '../../model/pull.ts'
import type { DoorEnv, DoorModule } from '../door-routes.ts'
import { failureOf } from '../errors.ts'
import { integer } from '../fields.ts'
import { check } from '../input.ts'
import { readPush, reportLists, taskFields } from '../pull-params.ts'
import type { PullPort } from '../pull-port.ts'
import { addressOf } from './pull.ts'

/**
 * The paths of the scheduler that pull queues come from, for its clients: the same queues by other
 * names, with answers of `{"code","msg","timestamp"}`. Codes other than 0 are those of its list.
 */
const CODES = { queue: 102, queues: 103, promote: 104, get: 105, back: 106 } as const
type Code = (typeof CODES)[keyof typeof CODES]

const TAG = 'Pull queues, old paths'
const queue = {
  queue: z.string().min(1).max(255).optional().describe('The only pull queue when not given.'),
}
const answer = z.looseObject({ code: z.int(), msg: z.string(), timestamp: z.int() })
const answers = { 200: { description: '`code` is 0', schema: answer } }
const ids = z.array(z.unknown()).default([]).describe('Ids.')
const MAX_BODY_BYTES = 16 << 20

export function legacyPullRoutes(port: PullPort): DoorModule {
  return door => {
    for (const name of ['queue', 'queues', 'promote'] as const)
      door.add({
        access: 'push',
        method: 'post',
        path: `/${name}`,
        tag: TAG,
        summary: SUMMARIES[name],
        params: z.looseObject({ ...queue, ...taskFields }),
        listAs: 'tasks',
        maxBodyBytes: MAX_BODY_BYTES,
        answers,
        handle: (params, c) =>
          answered(c, CODES[name], async () => {
            const { tasks, promote } = await readPush(params, c)
            // A task may have a field of this name itself.
            const taskKey = queueOf(c, port)
            const front = name === 'promote' || promote
            const pushed = await port.push(taskKey, tasks, { promote: front })
            const each = pushed.answers.map(one => ({ task_id: one.id, answer: one.answer }))
            const full = each.filter(one => one.answer === 'full').length
            if (full === 0) return { msg: wordOf(each), data: each }
            const message = `queue ${taskKey} is full: ${full} of ${each.length} tasks have not fit`
            throw new Partly(new TaskdError('E_FULL', message, 'push them again later'), each)
          }),
      })
    for (const method of ['get', 'post'] as const)
      door.add({
        access: 'pull',
        method,
        path: '/get_tasks',
        tag: TAG,
        summary: 'Fetch tasks; `count` may be a header too',
        params: z.object({ ...queue, count: z.unknown().optional().describe('1 to 5,000; 500.') }),
        answers,
        handle: (params, c) =>
          answered(c, CODES.get, async () => {
            const { count } = check(counted, { count: params.count ?? c.req.header('count') })
            const { tasks } = await port.claim(queueOf(c, port, params.queue), count, addressOf(c))
            return { msg: 'ok', json: `"tasks":[${tasks.map(withId).join(',')}]` }
          }),
      })
    door.add({
      access: 'pull',
      method: 'post',
      path: '/back_taskids',
      tag: TAG,
      summary: 'Say which tasks are done, and which have failed',
      params: z.object({ ...queue, finish: ids, failed: ids }),
      answers,
      handle: ({ queue: name, ...reports }, c) =>
        answered(c, CODES.back, async () => {
          const checked = check(z.object(reportLists), reports)
          const { finish, failed } = await port.report(queueOf(c, port, name), checked)
          const unknown = [...finish, ...failed].filter(one => one.answer === 'unknown')
          return {
            msg: 'ok',
            finish: finish.filter(isCounted).length,
            failed: failed.filter(isCounted).length,
            unknown: unknown.map(one => one.id),
          }
        }),
    })
  }
}

const SUMMARIES = {
  queue: 'Hand in one task',
  queues: 'Hand in several tasks',
  promote: 'Hand in one task, or several, in front of all others',
} as const

const counted = z.object({ count: integer(1, MAX_PULL_BATCH).default(500) })

/** Some of it was done. */
class Partly extends Error {
  readonly why: TaskdError
  readonly data: unknown

  constructor(why: TaskdError, data: unknown) {
    super(why.message)
    this.why = why
    this.data = data
  }
}

type Fields = Readonly<Record<string, unknown>> & { readonly msg: string; readonly json?: string }

async function answered(c: Context, code: Code, act: () => Promise<Fields>): Promise<Response> {
  const timestamp = Math.floor(realClock.now() / 1000)
  try {
    const { msg, json, ...rest } = await act()
    const head = JSON.stringify({ code: 0, msg, timestamp, ...rest })
    const text = json === undefined ? head : `${head.slice(0, -1)},${json}}`
    return c.body(text, 200, { 'content-type': 'application/json' })
  } catch (error) {
    const known = error instanceof Partly ? error.why : error
    // What nobody foresaw is for the log, which the common handler writes.
    if (!(known instanceof TaskdError)) throw error
    const { status, body } = failureOf(known)
    const data = error instanceof Partly ? { data: error.data } : {}
    return c.json({ code, msg: body.error.message, timestamp, ...data }, status)
  }
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

function wordOf(each: readonly { readonly answer: string }[]): string {
  const [first] = each
  return each.length === 1 && first ? first.answer : 'ok'
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
