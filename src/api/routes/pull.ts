import type { Context } from 'hono'
import { z } from 'zod'
import { isoWithOffset } from '../../lib/clock.ts'
import { type Claimed, MAX_PULL_BATCH, type Pushed, type ReportAnswer } from '../../model/pull.ts'
import type { DoorEnv, DoorModule } from '../door-routes.ts'
import { integer } from '../fields.ts'
import { claimer, claimId, PUSH_LIMITS, readPush, reportLists, taskFields } from '../pull-params.ts'
import type { PullPort, PullReported, PullStanding } from '../pull-port.ts'
import * as answers from '../pull-schemas.ts'

/** 5,000 tasks of 3 KB; reading more at once would hold up everybody else. */
const MAX_BODY_BYTES = 16 << 20

const queue = { task_key: z.string().min(1).max(255).describe('The NAME of [queue:NAME].') }
const TAG = 'Pull queues'

/** Queues whose tasks are fetched over HTTP ([queue:NAME] with mode = pull). */
export function pullRoutes(port: PullPort): DoorModule {
  return door => {
    door.add({
      access: 'push',
      method: 'post',
      path: '/api/queue/{task_key}/tasks',
      tag: TAG,
      summary: 'Hand in one task or a list of up to 5,000',
      description:
        'A task is any JSON object with a `task_id`. A list may be the body itself, or `tasks` of ' +
        'an object. An id that waits or is claimed already is a duplicate; one that is over is new.',
      params: z.looseObject({ ...queue, ...taskFields }),
      listAs: 'tasks',
      maxBodyBytes: MAX_BODY_BYTES,
      bodyLimits: PUSH_LIMITS,
      answers: {
        200: { description: 'what has become of each, in their order', schema: answers.pushed },
        429: { description: 'the queue is full: not all have fit', schema: answers.full },
      },
      async handle(params, c) {
        const { tasks, promote } = await readPush(params, c)
        return sayPushed(c, params.task_key, await port.push(params.task_key, tasks, { promote }))
      },
    })
    door.add({
      access: 'pull',
      method: 'post',
      path: '/api/queue/{task_key}/claim',
      tag: TAG,
      summary: 'Fetch tasks to work on',
      description:
        'Each is leased to whoever fetched it: what is not reported before its lease is over goes ' +
        'back. Fewer than asked for are there, or they are large: none means to ask again later.',
      params: z.object({
        ...queue,
        count: integer(1, MAX_PULL_BATCH).default(500),
        worker: claimer.optional(),
        claim_id: claimId.optional(),
      }),
      answers: { 200: { description: 'the tasks, those in front first', schema: answers.claimed } },
      async handle({ task_key, count, worker, claim_id }, c) {
        const who = worker ?? addressOf(c)
        const { tasks, leaseMs } = await port.claim(task_key, count, who, claim_id)
        return c.body(claimedText(tasks, leaseMs), 200, { 'content-type': 'application/json' })
      },
    })
    door.add({
      access: 'pull',
      method: 'post',
      path: '/api/queue/{task_key}/report',
      tag: TAG,
      summary: 'Say which of them are done, and which have failed',
      description:
        'Safe to repeat: each claim is counted once. Failed ones wait again until the `retries` of ' +
        'the queue are used up. `returned` ones were not begun: they go back in front.',
      // A misspelt list must not pass for an empty one: the tasks it names would be run again.
      params: z.strictObject({ ...queue, ...reportLists }),
      answers: { 200: { description: 'what has become of each', schema: answers.reported } },
      async handle({ task_key, ...reports }, c) {
        return c.json(reportedBody(await port.report(task_key, reports)))
      },
    })
    door.add({
      access: 'read',
      method: 'get',
      path: '/api/queue/{task_key}/counts',
      tag: TAG,
      summary: 'How many tasks there are in which state',
      params: z.object(queue),
      answers: { 200: { description: 'the counts of all nodes', schema: answers.counts } },
      handle: async ({ task_key }, c) => c.json(countsBody(await port.counts(task_key))),
    })
  }
}

export function addressOf(c: Context<DoorEnv>): string {
  return c.env.incoming?.socket.remoteAddress ?? ''
}

function sayPushed(c: Context, taskKey: string, { answers: each, accepted, room }: Pushed) {
  const body = {
    accepted,
    room,
    answers: each.map(({ id, answer, promoted }) => ({ task_id: id, answer, promoted })),
  }
  const full = each.filter(one => one.answer === 'full').length
  if (full === 0) return c.json(body)
  const message = `queue ${taskKey} is full: ${full} of ${each.length} tasks have not fit. push them again later`
  return c.json({ error: { code: 'E_FULL', message }, ...body }, 429)
}

/** The contents stand in it byte for byte, as they were handed in. */
function claimedText(tasks: readonly Claimed[], leaseMs: number): string {
  const items = tasks.map(({ id, attempt, content, leaseUntil }) => {
    const until = isoWithOffset(leaseUntil)
    return `{"task_id":${JSON.stringify(id)},"attempt":${attempt},"lease_until":"${until}","content":${content}}`
  })
  return `{"tasks":[${items.join(',')}],"lease_s":${leaseMs / 1000}}`
}

function reportedBody({ finish, failed, returned }: PullReported) {
  const all = [...finish, ...failed, ...returned]
  const plain = (list: readonly ReportAnswer[]) =>
    list.map(({ id, answer }) => ({ task_id: id, answer }))
  return {
    counted: all.filter(one => COUNTED.has(one.answer)).length,
    unknown: all.filter(one => one.answer === 'unknown').map(one => one.id),
    finish: plain(finish),
    failed: plain(failed),
    returned: plain(returned),
  }
}

export const COUNTED: ReadonlySet<string> = new Set(['finished', 'requeued', 'dead', 'returned'])

function countsBody(standing: PullStanding) {
  const { todo, doing, finish, failed, oldestMs, finishedTotal, deadTotal, capacity, paused } =
    standing
  return {
    todo,
    doing,
    finish,
    failed,
    oldest_s: Math.round(oldestMs / 100) / 10,
    finished_total: finishedTotal,
    dead_total: deadTotal,
    capacity,
    paused,
  }
}
