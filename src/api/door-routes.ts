import { OpenAPIHono, type RouteConfig } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { z } from 'zod'
import type { Right } from './auth.ts'
import { limitBody, USUAL_BYTES } from './body-size.ts'
import type { DoorEnv } from './door-env.ts'
import { failure, type Refusal } from './errors.ts'
import { listsOf } from './fields.ts'
import { checker } from './input.ts'
import { readParams } from './params.ts'
import type { BodyLimits } from './read-body.ts'

export type { DoorEnv } from './door-env.ts'

/** Who may call a route: callers with this right (or one of these), or everybody. */
export type Access = Right | readonly Right[] | 'open'

export interface DoorRoute<P extends z.ZodObject> {
  readonly access: Access
  readonly method: 'get' | 'post' | 'put' | 'delete'
  /** `/api/queue/{task_key}/claim` */
  readonly path: `/${string}`
  /** The noun it belongs to, for the documentation. */
  readonly tag: string
  readonly summary: string
  readonly description?: string
  /** Of the path, the query, a form and JSON together. Strict objects refuse what they do not know. */
  readonly params: P
  /** A JSON body that is a list is the parameter of this name. */
  readonly listAs?: keyof z.input<P> & string
  /** Where the usual limit is too small. */
  readonly maxBodyBytes?: number
  /** Old clients send a body with GET. */
  readonly getBody?: boolean
  /** For clients that know another form of errors than ours. */
  readonly refusal?: Refusal
  readonly bodyLimits?: BodyLimits
  /** Headers that mean something here, for the documentation. */
  readonly headers?: z.ZodObject
  /** What it answers when all is well, by status; the errors that every route has are added. */
  readonly answers: Readonly<Record<number, Answer>>
  handle(params: z.output<P>, c: Context<DoorEnv>): Response | Promise<Response>
}

export interface Answer {
  readonly description: string
  /** Left out where the answer is no JSON. */
  readonly schema?: z.ZodType
}

/** Collects the routes of the door. */
export interface DoorRoutes {
  readonly app: OpenAPIHono<DoorEnv>
  /** By `METHOD path` as Hono writes it: what is not here is for `admin`. */
  readonly access: ReadonlyMap<string, Access>
  /** By `METHOD path`: the routes that word their errors themselves. */
  readonly refusals: ReadonlyMap<string, Refusal>
  add<P extends z.ZodObject>(route: DoorRoute<P>): void
  /** Routes that are not in the documentation. */
  allow(method: string, path: string, access: Access): void
}

/** A part of the public API: it adds its routes. */
export type DoorModule = (door: Pick<DoorRoutes, 'add'>) => void

export function createRoutes(): DoorRoutes {
  const app = new OpenAPIHono<DoorEnv>()
  const access = new Map<string, Access>()
  const refusals = new Map<string, Refusal>()
  const allow = (method: string, path: string, who: Access) =>
    void access.set(`${method.toUpperCase()} ${path}`, who)
  return {
    app,
    access,
    refusals,
    allow,
    add(route) {
      const path = route.path.replaceAll(/\/\{(\w+)\}/g, '/:$1')
      const { method, listAs, getBody = false, maxBodyBytes = USUAL_BYTES, refusal } = route
      const options = {
        lists: listsOf(route.params),
        listAs,
        getBody,
        maxBodyBytes,
        limits: route.bodyLimits,
      }
      const checked = checker(route.params)
      allow(method, path, route.access)
      if (refusal) refusals.set(`${method.toUpperCase()} ${path}`, refusal)
      app.openAPIRegistry.registerPath(described(route))
      const hasBody = method !== 'get' || getBody
      if (hasBody) app.on(method, path, limitBody(maxBodyBytes))
      app.on(method, path, async (c: Context<DoorEnv>) => {
        // Hono has a GET's route answer a HEAD, too.
        if (c.req.method === 'HEAD' && acts(route.access)) return notByHead(c)
        const params = await checked(await readParams(c, options))
        return route.handle(params, c)
      })
    },
  }
}

/** Whether a route does more than look. */
function acts(access: Access): boolean {
  return ![access].flat().some(one => one === 'open' || one === 'read')
}

/** A HEAD would take tasks without delivering them. */
function notByHead(c: Context): Response {
  const { body } = failure(405, 'E_NO_METHOD', 'this route takes GET, and no HEAD')
  return c.json(body, 405, { allow: 'GET' })
}

/** For every route, beside what it answers itself. */
const ERRORS: Readonly<Record<number, string>> = {
  400: 'the request is not understood; the message names every field that is wrong',
  401: 'no secret, or a wrong one',
  403: 'the secret does not open this, or the request comes from a page of another site',
  404: 'there is no such thing',
  413: 'the body is too large, or has too many values',
  415: 'the body is of a type that is not taken',
  422: 'the Idempotency-Key, or the uuid, came with another request before',
  429: 'too many requests from this address, or the queue is full',
  431: 'more than 100 headers, or more than 16 KiB of them',
  503: 'Redis is away, or taskd is just starting or stopping: try again',
}

const errorBody = z
  .object({ error: z.object({ code: z.string(), message: z.string() }) })
  .describe('`code` is stable and meant for programs, `message` for people.')

/** A route in the words of OpenAPI. */
function described<P extends z.ZodObject>(route: DoorRoute<P>): RouteConfig {
  const { method, path, tag, summary, description } = route
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  const fields: Record<string, z.ZodType> = route.params.shape
  const some = (wanted: (name: string) => boolean) =>
    z.object(Object.fromEntries(Object.entries(fields).filter(([name]) => wanted(name))))
  const others = some(name => !inPath.includes(name))
  const hasOthers = Object.keys(others.shape).length > 0
  return {
    method,
    path,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    operationId: operationId(method, path),
    security: securityOf(route.access),
    request: {
      ...(inPath.length > 0 && { params: some(name => inPath.includes(name)) }),
      ...(route.headers && { headers: route.headers }),
      ...(hasOthers && (method === 'get' ? { query: others } : { body: bodyOf(others) })),
    },
    responses: { ...errorsOf(route), ...answersOf(route.answers) },
  }
}

function operationId(method: string, path: string): string {
  return `${method}${path.replaceAll(/[^A-Za-z0-9]+/g, '_').replace(/_$/, '')}`
}

function bodyOf(schema: z.ZodObject) {
  const isRequired = (field: unknown) => !(field as z.ZodType).safeParse(undefined).success
  return {
    required: Object.values(schema.shape).some(isRequired),
    content: {
      'application/json': { schema },
      'application/x-www-form-urlencoded': { schema },
    },
  }
}

function securityOf(access: Access): Record<string, string[]>[] {
  if (access === 'open') return []
  return [access].flat().flatMap(scope => [{ secret: [scope] }, { bearer: [scope] }])
}

function answersOf(answers: Readonly<Record<number, Answer>>): RouteConfig['responses'] {
  const entries = Object.entries(answers).map(([status, { description, schema }]) => [
    status,
    { description, ...(schema && { content: { 'application/json': { schema } } }) },
  ])
  return Object.fromEntries(entries) as RouteConfig['responses']
}

/** Statuses that cannot occur on a route that is open to everybody, or that reads no body. */
const NOT_OPEN = ['401', '404', '413', '415', '422']
const OF_BODIES = ['413', '415']

function errorsOf({
  access,
  method,
  getBody = false,
  headers,
}: Pick<
  DoorRoute<z.ZodObject>,
  'access' | 'method' | 'getBody' | 'headers'
>): RouteConfig['responses'] {
  const hasBody = method !== 'get' || getBody
  const entries = Object.entries(ERRORS)
    .filter(([status]) => access !== 'open' || !NOT_OPEN.includes(status))
    .filter(([status]) => hasBody || !OF_BODIES.includes(status))
    .filter(([status]) => headers !== undefined || status !== '422')
    .map(([status, description]) => [
      status,
      { description, content: { 'application/json': { schema: errorBody } } },
    ])
  return Object.fromEntries(entries) as RouteConfig['responses']
}
