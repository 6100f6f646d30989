import type { Env, MiddlewareHandler } from 'hono'
import { validator } from 'hono/validator'
import { z } from 'zod'
import { TaskdError } from '../lib/errors.ts'
import { turns } from './body.ts'
import { listOf, listsOf } from './fields.ts'
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
  const checked = checker(schema)
  return async (c, next) => {
    c.req.addValidatedData('json', (await checked(await readParams(c, options))) as object)
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
  throw wrong(parsed.error.issues, parsed.error.issues.length, value, schema)
}

/**
 * The same for a request, whose lists may be long: how long they may be is looked at first, and
 * their entries are checked one after another, with turns of the event loop between.
 */
export function checker<S extends z.ZodType>(schema: S): (value: unknown) => Promise<z.output<S>> {
  if (!(schema instanceof z.ZodObject)) return async value => check(schema, value)
  const fields: [string, z.ZodType][] = Object.entries(schema.shape)
  const lists = new Map(fields.flatMap(([name, field]) => entriesOf(name, field)))
  const shell = schema.extend(
    Object.fromEntries(fields.filter(([name]) => lists.has(name)).map(([n, f]) => [n, shellOf(f)])),
  )
  return async value => {
    const parsed = shell.safeParse(value)
    if (!parsed.success) throw wrong(parsed.error.issues, parsed.error.issues.length, value, schema)
    const found = { ...parsed.data } as Record<string, unknown>
    const issues: z.core.$ZodIssue[] = []
    let count = 0
    for (const [name, entry] of lists) {
      const list = found[name]
      if (!Array.isArray(list)) continue
      const entries: unknown[] = []
      for (const [n, one] of list.entries()) {
        await turns.wait()
        const read = entry.safeParse(one)
        if (read.success) entries.push(read.data)
        else {
          count += read.error.issues.length
          if (issues.length < MAX_TOLD)
            issues.push(...read.error.issues.map(i => ({ ...i, path: [name, n, ...i.path] })))
        }
      }
      found[name] = entries
    }
    if (count > 0) throw wrong(issues, count, value, schema)
    return found as z.output<S>
  }
}

/** The schema of the entries of a list, where they have one. */
function entriesOf(name: string, field: z.ZodType): [string, z.ZodType][] {
  const list = listOf(field)
  const entry = list?.element as z.ZodType | undefined
  return entry === undefined || entry instanceof z.ZodUnknown ? [] : [[name, entry]]
}

/** A list like this one, of anything: as long, as needed, with the same default. */
function shellOf(field: z.ZodType): z.ZodType {
  if (field instanceof z.ZodOptional) return shellOf(field.def.innerType as z.ZodType).optional()
  if (field instanceof z.ZodDefault)
    return shellOf(field.def.innerType as z.ZodType).default(field.def.defaultValue)
  const checks = (field.def.checks ?? []) as z.core.$ZodCheck<unknown[]>[]
  return z.array(z.unknown()).check(...checks)
}

function wrong(
  issues: readonly z.core.$ZodIssue[],
  count: number,
  value: unknown,
  schema: z.ZodType,
): TaskdError {
  const known = namesOf(schema)
  const told = issues.slice(0, MAX_TOLD).flatMap(issue => wordingOf(issue, value, known))
  const rest = count - Math.min(issues.length, MAX_TOLD)
  const all = [...told, ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ')
  return new TaskdError('E_BAD_REQUEST', `the request is not understood: ${all}`)
}

/** More are not listed: ten thousand wrong names are one mistake, repeated. */
const MAX_TOLD = 20
