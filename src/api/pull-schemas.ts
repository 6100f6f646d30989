import { z } from 'zod'
import { MAX_PULL_BATCH } from '../model/pull.ts'

/** What the routes of pull queues answer. */

const id = z.string().describe('The `task_id`.')

export const pushed = z.object({
  accepted: z.int().describe('How many are new.'),
  room: z.int().describe('How many more would fit now.'),
  answers: z.array(
    z.object({
      task_id: id,
      answer: z.enum(['accepted', 'duplicate', 'full']),
      promoted: z.boolean().describe('A duplicate that waited, and was moved to the front.'),
    }),
  ),
})

export const full = pushed.extend({ error: z.object({ code: z.string(), message: z.string() }) })

export const claimed = z.object({
  tasks: z.array(
    z.object({
      task_id: id,
      attempt: z.int().describe('From 1.'),
      lease_until: z.iso.datetime({ offset: true }),
      content: z.looseObject({}).describe('The task as it was handed in.'),
    }),
  ),
  lease_s: z.number().describe('How long the lease of each is.'),
})

const answer = z.object({
  task_id: id,
  answer: z
    .enum(['finished', 'requeued', 'dead', 'returned', 'already', 'stale', 'unknown'])
    .describe(
      'The first four are counted by this report. `already`: it was before. `stale`: somebody ' +
        'has claimed it anew since. `unknown`: no such id, or it finished too long ago.',
    ),
})
const reports = z.array(answer).max(MAX_PULL_BATCH)

export const reported = z.object({
  counted: z.int(),
  unknown: z.array(id),
  finish: reports,
  failed: reports,
  returned: reports,
})

export const counts = z.object({
  todo: z.int(),
  doing: z.int().describe('Claimed, and not reported yet.'),
  finish: z.int().describe('Finished ones that are still remembered.'),
  failed: z.int().describe('Dead ones that are kept.'),
  oldest_s: z.number().describe('How long the longest waiting one has waited.'),
  finished_total: z.int(),
  dead_total: z.int(),
  capacity: z.int(),
  paused: z.boolean(),
})
