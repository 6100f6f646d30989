import { constants } from 'node:os'
import { z } from 'zod'
import { flag, integer } from './fields.ts'

/** What the routes take. Answers are typed by the Control port and need no second description. */

const MAX_NAMES = 10_000
const name = z.string().min(1).max(255)
const names = z.array(name).max(MAX_NAMES)

export const namesBody = z.object({ names: names.min(1), by: z.string().max(200).default('') })
export const signalBody = z.object({
  names: names.min(1),
  signal: z.custom<NodeJS.Signals>(
    value => typeof value === 'string' && Object.hasOwn(constants.signals, value),
    'is no signal',
  ),
})
/** Resuming takes no name too: that ends a drain. */
export const resumeBody = z.object({ names })
export const scaleBody = z.object({ name, count: integer(0, 1000) })
export const idBody = z.object({ unique_task_id: name })
export const runBody = z.object({ job: name, wait: flag().default(false) })
export const pushBody = z.object({
  task_key: name,
  task: z.record(z.string(), z.unknown()),
  wait: flag().default(false),
})
export const shutdownBody = z.object({
  hurry: flag().default(false),
  kill: flag().default(false),
  restart: flag().default(false),
})

/** A query's values are text. */
export const failsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(10_000).default(20),
  job: name.optional(),
  task_key: name.optional(),
})

export const nameQuery = z.object({ name })

export const runsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(10_000).default(20),
  job: name.optional(),
  task_key: name.optional(),
})

export const tailQuery = z.object({
  name,
  lines: z.coerce.number().int().min(0).max(1_000_000).default(10),
  follow: z.enum(['true', 'false']).default('false'),
  stream: z.enum(['stdout', 'stderr']).optional(),
})
