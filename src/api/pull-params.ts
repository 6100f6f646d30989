import type { Context } from 'hono'
import { z } from 'zod'
import { TaskdError } from '../lib/errors.ts'
import type { Parsed } from '../lib/parsed.ts'
import { MAX_PULL_BATCH, type PullReport, type PullTask } from '../model/pull.ts'
import { checkPullId, readPullList, readPullTasks } from '../model/pull-task.ts'
import { turns } from './body.ts'
import type { DoorEnv } from './door-routes.ts'
import { flag } from './fields.ts'
import { check } from './input.ts'
import { textsOf } from './json-parts.ts'

/** What the routes of pull queues take. */

/** A task may hold anything, and has at most a megabyte. */
export const PUSH_LIMITS = { values: 1_000_000, atOnce: 400_000, atOnceBytes: 2 << 20 }

/** Who claims, for people: fail_log has it for tasks that die. */
export const claimer = z
  .string()
  .refine(
    // OpenAPI cannot express a pattern with flags.
    text => /^[^\s\p{Cc}]{1,100}$/u.test(text),
    'is not a name: 1 to 100 characters without blanks',
  )
  .describe('Who fetches them; the address of the caller when not given.')

/** What can be part of a key, and be read there. */
export const claimId = z
  .string()
  .regex(/^[\x21-\x7E]{1,128}$/, 'must be 1 to 128 printable ASCII characters without blanks')
  .describe(
    'Your name for this claim, a new one for each, such as a UUID. When no answer came, claim again ' +
      'with the same name within five minutes: the same tasks come, with a new lease.',
  )

/** A task has any fields, so they are checked one by one; see pushedTasks. */
export const taskFields = {
  tasks: z.unknown().optional().describe('A list of tasks; or send one task by itself.'),
  task_id: z.unknown().optional().describe('Of one task by itself: up to 255 characters.'),
  promote: z.unknown().optional().describe('`1` puts them in front, also when they wait already.'),
}

type TaskParams = Readonly<Record<string, unknown>> & {
  readonly promote?: unknown
  readonly tasks?: unknown
}

/**
 * The tasks of a request, and whether they go in front. A JSON body is read again as text, because
 * its tasks are kept byte for byte; of a form or a query, the fields are the task.
 * @throws TaskdError E_BAD_TASK
 */
export async function readPush(
  params: TaskParams,
  c: Context<DoorEnv>,
): Promise<{ readonly tasks: readonly PullTask[]; readonly promote: boolean }> {
  const { tasks: listed } = params
  const textOf = Array.isArray(listed) ? textsOf(listed) : undefined
  if (Array.isArray(listed) && textOf && params['task_id'] === undefined) {
    const texts = () => listed.map((_task, n) => textOf(n).trim())
    const tasks = await readPullList(listed, texts, turn)
    return { tasks: orThrow(tasks), promote: promoteOf(params.promote) }
  }
  const text = Buffer.from(await c.req.arrayBuffer())
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trim()
  const json = isJson(text)
  const tasks = await readPullTasks(json ? text : JSON.stringify(withoutOurs(params)), turn)
  // A JSON task may have a field of this name itself.
  const ownField = json && listed === undefined
  const value = ownField ? c.req.query('promote') : params.promote
  return { tasks: orThrow(tasks), promote: promoteOf(value) }
}

const turn = () => turns.wait()

function promoteOf(value: unknown): boolean {
  return check(z.object({ promote: flag().default(false) }), { promote: value }).promote
}

function orThrow(tasks: Parsed<readonly PullTask[]>): readonly PullTask[] {
  if (!tasks.ok) throw new TaskdError('E_BAD_TASK', tasks.reason, 'see docs/http.md')
  return tasks.value
}

function isJson(text: string): boolean {
  return text.startsWith('{') || text.startsWith('[')
}

/** Names that the request needs for itself. */
const OURS = ['task_key', 'promote', 'queue', 'secret']

function withoutOurs(params: TaskParams): object {
  return Object.fromEntries(Object.entries(params).filter(([name]) => !OURS.includes(name)))
}

const id = z
  .union([z.string().min(1), z.int().transform(String)], 'is no task_id: write it as a string')
  .superRefine((text, refine) => {
    const checked = checkPullId(text)
    if (!checked.ok) refine.addIssue(checked.reason)
  })

/** One task of a report: its id, or more about it. */
export const reported = z.union([
  id.transform((text): PullReport => ({ id: text })),
  z
    .object({
      task_id: id,
      attempt: z.int().min(1).optional().describe('Which claim of it is meant; the current one.'),
      msg: z.string().optional().describe('Why it failed; kept when it dies of it.'),
    })
    .transform(
      ({ task_id, attempt, msg }): PullReport => ({
        id: task_id,
        ...(attempt !== undefined && { attempt }),
        ...(msg !== undefined && { msg }),
      }),
    ),
])
const items = (what: string) => z.array(reported).max(MAX_PULL_BATCH).default([]).describe(what)

export const reportLists = {
  finish: items('Ids of those that are done; or objects with task_id and attempt.'),
  failed: items('Ids of those that have failed; or objects with task_id, attempt and msg.'),
  returned: items('Ids of those that were not begun.'),
}
