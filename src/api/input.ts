import { validator } from 'hono/validator'
import type { z } from 'zod'
import { TaskdError } from '../lib/errors.ts'

/** The JSON body of a request, checked; no body at all is an empty object. */
export function body<S extends z.ZodType>(schema: S) {
  return validator('json', (value: z.input<S>): z.output<S> => parse(schema, value))
}

/** The query string of a request, checked. */
export function query<S extends z.ZodType>(schema: S) {
  return validator('query', (value: unknown): z.output<S> => parse(schema, value))
}

/** @throws TaskdError E_BAD_REQUEST that names every field that is wrong */
function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const wrong = parsed.error.issues.map(issue => {
    const where = issue.path.join('.')
    return where === '' ? issue.message : `${where}: ${issue.message}`
  })
  throw new TaskdError('E_BAD_REQUEST', `the request is not understood: ${wrong.join('; ')}`)
}
