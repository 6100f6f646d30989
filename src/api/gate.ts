import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { ErrorCode } from '../lib/error-codes.ts'
import { TaskdError } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { type Auth, OPEN_RIGHTS, type Right, rightsOf, secretOf } from './auth.ts'
import type { Access, DoorEnv } from './door-routes.ts'
import { failureOf, refuse, type Refusal as Wording } from './errors.ts'
import { isCrossSite, isLoopback, isOurHost } from './guard.ts'
import type { RateLimiter } from './rate.ts'

export interface GateDeps {
  readonly log: Pick<Logger, 'debug'>
  /** The address it listens on, as it is configured. */
  readonly host: string
  /** The secrets as they are now. */
  readonly auth: () => Auth
  /** The limit as it is now. @param loopback whether the caller is on this machine */
  readonly limiter: (loopback: boolean) => RateLimiter | undefined
  readonly accessOf: (route: string) => Access
  readonly refusalOf: (route: string) => Wording | undefined
  /** Told of each request that was answered. @param route `METHOD /pattern`, or `unknown` */
  readonly answered: (route: string, status: number, ms: number) => void
  /** Monotonic, ms. */
  readonly now: () => number
}

/** What every request passes before any route sees it, and every answer on its way out. */
export function createGate(deps: GateDeps): MiddlewareHandler<DoorEnv> {
  return async (c, next) => {
    const began = deps.now()
    const address = c.env.incoming?.socket.remoteAddress ?? ''
    const route = routeOf(c)
    const refused = refusal(c, deps, address, route)
    if (refused === undefined) await next()
    else c.res = refused
    const ms = deps.now() - began
    const { status } = c.res
    deps.answered(route ?? UNKNOWN, status, ms)
    // The pattern and not the path, for a path has ids and a query secrets.
    const rounded = Math.round(ms * 100) / 100
    deps.log.debug({ route: route ?? UNKNOWN, status, ms: rounded, address }, 'http request')
  }
}

const UNKNOWN = 'unknown'

/** `POST /api/queue/:task_key/claim`; undefined when there is no such route. */
export function routeOf(c: Context): string | undefined {
  const route = matchedRoutes(c).findLast(one => one.method !== 'ALL')
  return route && `${route.method} ${route.path}`
}

type Refusal = readonly [code: ErrorCode, message: string, headers?: Record<string, string>]

function refusal(
  c: Context<DoorEnv>,
  deps: GateDeps,
  address: string,
  route: string | undefined,
): Response | undefined {
  const why = whyNot(c, deps, address, route)
  if (why === undefined) return undefined
  const [code, message, headers = {}] = why
  const wording = route === undefined ? undefined : deps.refusalOf(route)
  return refuse(c, failureOf(new TaskdError(code, message)), wording, headers)
}

function whyNot(
  c: Context<DoorEnv>,
  deps: GateDeps,
  address: string,
  route: string | undefined,
): Refusal | undefined {
  const header = (name: string) => c.req.header(name)
  // A proxy is spoken to with whole URLs, which say another host than the header.
  const whole = c.env.incoming?.url?.startsWith('/') === false
  if (whole || !isOurHost(header('host'), deps.host))
    return ['E_HOST', 'this host name is none of taskd. ask for 127.0.0.1 or localhost']
  const limiter = deps.limiter(isLoopback(address))
  const taken = limiter?.take(address)
  if (taken?.ok === false) return tooMany(taken.retryAfterS)
  const access = route === undefined ? 'admin' : deps.accessOf(route)
  if (access === 'open') return undefined
  const looksOnly = access === 'read' && (c.req.method === 'GET' || c.req.method === 'HEAD')
  if (!looksOnly && isCrossSite(header))
    return ['E_ORIGIN', 'a page of another site may not ask for this']
  const auth = deps.auth()
  if (auth.open) {
    if (!isLoopback(address))
      return ['E_SECRET', 'without a secret only this machine is served. set secret in [taskd]']
    c.set('rights', OPEN_RIGHTS)
    if (route === undefined || opens(OPEN_RIGHTS, access)) return undefined
    return [
      'E_SCOPE',
      'without a secret HTTP does not do that. use the command line on this machine, or set secret in [taskd]',
    ]
  }
  const secret = secretOf(header)
  const scopes = secret === undefined ? undefined : auth.scopesOf(secret)
  if (scopes === undefined) {
    if (secret !== undefined) limiter?.punish(address)
    const what = secret === undefined ? 'a secret is needed' : 'the secret is wrong'
    const how = 'send it as header `secret: …` or `Authorization: Bearer …`'
    return ['E_SECRET', `${what}. ${how}`, { 'www-authenticate': 'Bearer realm="taskd"' }]
  }
  const rights = rightsOf(scopes)
  c.set('rights', rights)
  if (route === undefined || opens(rights, access)) return undefined
  const wanted = access === 'run' ? 'push' : [access].flat().join(' or ')
  return ['E_SCOPE', `this secret may not do that. use one with the scope ${wanted}`]
}

function opens(rights: ReadonlySet<Right>, access: Exclude<Access, 'open'>): boolean {
  return [access].flat().some(right => rights.has(right))
}

function tooMany(retryAfterS: number): Refusal {
  const message = `too many requests from this address. try again in ${retryAfterS} s`
  return ['E_RATE', message, { 'retry-after': String(retryAfterS) }]
}
