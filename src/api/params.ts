import { isUtf8 } from 'node:buffer'
import type { Context } from 'hono'
import { TaskdError } from '../lib/errors.ts'
import { bodyBytes } from './body.ts'
import { USUAL_BYTES } from './body-size.ts'

/** What a request says, wherever it says it: still unchecked. */
export type Params = Readonly<Record<string, unknown>>

/** Deeper nesting is nobody's data, and takes the stack of whoever writes it out again. */
const MAX_DEPTH = 64
const JSON_TYPE = /^application\/([\w.-]+\+)?json$/

export interface ReadOptions {
  /** Parameters that are lists, also where a query or a form has one pair of that name. */
  readonly lists: ReadonlySet<string>
  /** A JSON body that is a list, and no object, is the parameter of this name. */
  readonly listAs?: string | undefined
  /** Whether a GET may have a body. */
  readonly getBody?: boolean
  readonly maxBodyBytes?: number
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
  if (type === 'multipart/form-data') return multipart(c, options)
  const text = textOf(await bodyBytes(c, options.maxBodyBytes ?? USUAL_BYTES).catch(broken))
  if (text.trim() === '') return []
  if (JSON_TYPE.test(type)) return json(text, options)
  if (type === '' || type === 'application/x-www-form-urlencoded') {
    // curl -d '{"a":1}' calls this a form too, and no form begins so.
    if (/^\s*[{[]/.test(text)) return json(text, options)
    return pairs(new URLSearchParams(text), options)
  }
  throw new TaskdError(
    'E_BAD_TYPE',
    'the body is of a type that is not taken here',
    'send application/json, application/x-www-form-urlencoded or multipart/form-data',
  )
}

function textOf(bytes: ArrayBuffer): string {
  const buffer = Buffer.from(bytes)
  if (!isUtf8(buffer)) throw bad('the body is not UTF-8')
  const text = buffer.toString('utf8')
  return text.startsWith('\uFEFF') ? text.slice(1) : text
}

function json(text: string, { listAs }: ReadOptions): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Its own words quote the body, which may hold secrets.
    throw bad('the body is not valid JSON')
  }
  if (depthOver(value, MAX_DEPTH)) throw bad(`the body is nested deeper than ${MAX_DEPTH} levels`)
  if (Array.isArray(value) && listAs !== undefined) return [[listAs, value]]
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad('the body is JSON, but no object')
  return Object.entries(value)
}

function depthOver(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (left === 0) return true
  return Object.values(value).some(one => depthOver(one, left - 1))
}

async function multipart(c: Context, options: ReadOptions): Promise<Fields> {
  const form = await c.req.formData().catch(() => broken())
  const found = [...form].map(([name, value]) => {
    if (typeof value !== 'string') throw bad(`${name.slice(0, 100)}: is a file, and none is taken`)
    return [name, value] as const
  })
  return pairs(found, options)
}

function broken(error?: unknown): never {
  if (error instanceof TaskdError) throw error
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
  }
  return fields
}

function bad(message: string): TaskdError {
  return new TaskdError('E_BAD_REQUEST', message)
}
