import type { Context } from 'hono'
import { TaskdError } from '../lib/errors.ts'
import { isBlank, readWhole, turns } from './body.ts'
import { USUAL_BYTES } from './body-size.ts'
import { MAX_NAMES } from './json-scan.ts'
import { type BodyLimits, readBody } from './read-body.ts'

/** The parameters of a request, wherever they come from, still unchecked. */
export type Params = Readonly<Record<string, unknown>>

const JSON_TYPE = /^application\/([\w.-]+\+)?json$/

export interface ReadOptions {
  /** Parameters that are lists, also where a query or a form has one pair of that name. */
  readonly lists: ReadonlySet<string>
  /** A JSON body that is a list, and no object, is the parameter of this name. */
  readonly listAs?: string | undefined
  /** Whether a GET may have a body. */
  readonly getBody?: boolean
  readonly maxBodyBytes?: number
  /** Where the usual ones are too small. */
  readonly limits?: BodyLimits | undefined
}

/**
 * The parameters of a request. The same name may come in several ways; the path wins over JSON,
 * JSON over a form, a form over the query string.
 * @throws TaskdError E_BAD_REQUEST, E_BAD_TYPE
 */
export async function readParams(c: Context, options: ReadOptions): Promise<Params> {
  const at = c.req.url.indexOf('?')
  const written = at < 0 ? [] : new URLSearchParams(c.req.url.slice(at))
  const fields = pairs(written, options)
  for (const [name, value] of await bodyOf(c, options)) fields.set(name, value)
  for (const [name, value] of Object.entries<string>(c.req.param())) fields.set(name, value)
  // Own properties all of them, also one that is called __proto__.
  return Object.fromEntries(fields)
}

type Fields = Iterable<readonly [string, unknown]>

async function bodyOf(c: Context, options: ReadOptions): Promise<Fields> {
  const { method } = c.req
  if (method === 'HEAD' || (method === 'GET' && options.getBody !== true)) return []
  const header = c.req.header('content-type') ?? ''
  const type = header.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (type === 'multipart/form-data') return multipart(c, header, options)
  const isJson = JSON_TYPE.test(type)
  const isForm = type === '' || type === 'application/x-www-form-urlencoded'
  // curl -d '{"a":1}' declares a form too, and no form begins like that.
  if (isForm || isJson) {
    const body = await readBody(c, isJson, options)
    if (body.kind === 'empty') return []
    return body.kind === 'json' ? fieldsOf(body.value, options) : pairs(body.pairs, options)
  }
  await readWhole(c, USUAL_BYTES, chunk => {
    if (!chunk.every(isBlank)) throw badType()
  })
  return []
}

function badType(): TaskdError {
  return new TaskdError(
    'E_BAD_TYPE',
    'the body is of a type that is not taken here',
    'send application/json, application/x-www-form-urlencoded or multipart/form-data',
  )
}

function fieldsOf(value: unknown, { listAs }: ReadOptions): Fields {
  if (Array.isArray(value) && listAs !== undefined) return [[listAs, value]]
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad('the body is JSON, but no object')
  return Object.entries(value)
}

/** No real form has more parts, and more take long to split. */
const MAX_PARTS = 1000

async function multipart(c: Context, type: string, options: ReadOptions): Promise<Fields> {
  let parts = 0
  const bytes = await readWhole(c, USUAL_BYTES)
  for (let at = 0; at >= 0 && parts <= MAX_PARTS; at = bytes.indexOf('\n--', at + 1)) parts += 1
  if (parts > MAX_PARTS)
    throw new TaskdError('E_TOO_LARGE', `the form has more than ${MAX_PARTS} parts`)
  await turns.wait()
  const whole = new Response(bytes, { headers: { 'content-type': type } })
  const form = await whole.formData().catch(() => broken())
  const found = [...form].map(([name, value]) => {
    if (typeof value !== 'string') throw bad(`${name.slice(0, 100)}: is a file, and none is taken`)
    return [name, value] as const
  })
  return pairs(found, options)
}

function broken(): never {
  throw bad('the body cannot be read')
}

/** `a=1&a=2`, `a[]=1` and `a[0]=1` (as PHP's http_build_query writes them) make lists. */
function pairs(
  found: Iterable<readonly [string, string]>,
  { lists }: ReadOptions,
): Map<string, unknown> {
  const fields = new Map<string, unknown>()
  for (const [written, value] of found) {
    const [, listed] = /^([^[\]]+)\[\d{0,7}\]$/.exec(written) ?? []
    const name = listed ?? written
    const before = fields.get(name)
    if (Array.isArray(before)) before.push(value)
    else if (before !== undefined) fields.set(name, [before, value])
    else fields.set(name, listed !== undefined || lists.has(name) ? [value] : value)
    if (fields.size > MAX_NAMES)
      throw new TaskdError('E_TOO_LARGE', `the form has more than ${MAX_NAMES} names`)
  }
  return fields
}

function bad(message: string): TaskdError {
  return new TaskdError('E_BAD_REQUEST', message)
}
