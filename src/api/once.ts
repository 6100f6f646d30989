import { createHash } from 'node:crypto'
import type { Context } from 'hono'
import { z } from 'zod'
import { TaskdError } from '../lib/errors.ts'
import type { DoorEnv } from './door-env.ts'

/** A call that its caller named: the same name is the same task (queue/repeats.ts). */
export interface Once {
  readonly name: string
  readonly body: string
}

/** As it stands in the documentation of a route. */
export const onceHeaders = z.object({
  'idempotency-key': z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe(
      'Your name for this call, such as a UUID, in up to 255 printable ASCII characters. A repetition ' +
        'with the same name, by the same scope and for the same route, makes no second task for as ' +
        'long as results are kept.',
    ),
})

/**
 * What the header `Idempotency-Key` says; undefined without it.
 * @param route keeps names of one route apart from those of another
 * @param body all that is asked for
 * @throws TaskdError E_BAD_REQUEST
 */
export function onceOf(c: Context, route: string, body: unknown): Once | undefined {
  const key = c.req.header('idempotency-key')
  if (key === undefined) return undefined
  if (!/^[\x20-\x7E]{1,255}$/.test(key))
    throw new TaskdError(
      'E_BAD_REQUEST',
      'Idempotency-Key: must be 1 to 255 printable ASCII characters',
      'use for instance a UUID, a new one for each task',
    )
  const rights = (c as Context<DoorEnv>).get('rights')
  const caller = rights === undefined ? 'socket' : [...rights].toSorted().join()
  return { name: digestOf(['key', caller, route, key]), body: digestOf(body) }
}

/** The same for a task whose id the caller has chosen. */
export function onceById(id: string, body: unknown): Once {
  return { name: digestOf(['uuid', id]), body: digestOf(body) }
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(orderedText(value)).digest('base64url')
}

/**
 * As JSON, objects as lists of pairs in the order of their keys, because the order in which they
 * are sent has no meaning.
 */
function orderedText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(orderedText).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const object = value as Readonly<Record<string, unknown>>
  const keys = Object.keys(object).toSorted()
  return `[${keys.map(key => `[${JSON.stringify(key)},${orderedText(object[key])}]`).join()}]`
}
