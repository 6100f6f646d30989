import type { Env, MiddlewareHandler } from 'hono'
import { validator } from 'hono/validator'
import type { z } from 'zod'
import { TaskdError } from '../lib/errors.ts'
import { listsOf } from './fields.ts'
import { readParams } from './params.ts'
import { namesOf, wordingOf } from './wording.ts'

/** What `body` hands on, in the words of Hono: so the typed client knows what to send. */
type Checked<S extends z.ZodType> = MiddlewareHandler<
  Env,
  string,
  { in: { json: z.input<S> }; out: { json: z.output<S> } }
>

/** The parameters of a request, as JSON, form or query, checked; nothing at all is an empty object. */
export function body<S extends z.ZodType>(schema: S): Checked<S> {
  const options = { lists: listsOf(schema) }
  return async (c, next) => {
    c.req.addValidatedData('json', check(schema, await readParams(c, options)) as object)
    await next()
  }
}

/** The query string of a request, checked. */
export function query<S extends z.ZodType>(schema: S) {
  return validator('query', (value: unknown): z.output<S> => check(schema, value))
}

/** @throws TaskdError E_BAD_REQUEST that names every field that is wrong */
export function check<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const known = namesOf(schema)
  const { issues } = parsed.error
  const told = issues.slice(0, MAX_TOLD).flatMap(issue => wordingOf(issue, value, known))
  const rest = issues.length - MAX_TOLD
  const wrong = [...told, ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ')
  throw new TaskdError('E_BAD_REQUEST', `the request is not understood: ${wrong}`)
}

/** Ten thousand wrong names are one mistake, made ten thousand times. */
const MAX_TOLD = 20
