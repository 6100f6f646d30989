import { type Context, Hono } from 'hono'
import type { Logger } from '../lib/log.ts'
import { controlRoutes, onError } from './app.ts'
import type { Auth } from './auth.ts'
import { limitBody } from './body-size.ts'
import type { Control } from './control.ts'
import { type Access, createRoutes, type DoorEnv, type DoorModule } from './door-routes.ts'
import { failure } from './errors.ts'
import { createGate, type GateDeps, routeOf } from './gate.ts'
import type { RateLimiter } from './rate.ts'
import { addDocs } from './routes/docs.ts'
import { healthRoutes } from './routes/health.ts'
import { type MetricsPort, metricsRoute } from './routes/metrics.ts'

export interface DoorAppDeps {
  readonly control: Control
  readonly log: Pick<Logger, 'debug' | 'error'>
  readonly version: string
  /** What it listens on, as it is configured. */
  readonly host: string
  /** The secrets as they are now. */
  readonly auth: () => Auth
  /** The limit for one caller as it is now. @param loopback whether it is on this machine */
  readonly limiter: (loopback: boolean) => RateLimiter | undefined
  /** Why no task should be sent here now, in words; empty when all is well. Cheap. */
  readonly notReady: () => readonly string[]
  readonly metrics: MetricsPort
  /** Monotonic, ms. */
  readonly now: () => number
  /** The public API, part by part. */
  readonly modules: readonly DoorModule[]
}

/** Everything that is served over TCP: the public routes, and those of the control socket. */
export function createDoorApp(deps: DoorAppDeps) {
  const { control, log } = deps
  const routes = createRoutes()
  const app = new Hono<DoorEnv>()
  // A route without an access rule is not open by mistake: it takes `admin`.
  const accessOf = (route: string): Access => routes.access.get(route) ?? 'admin'
  const refusalOf = (route: string) => routes.refusals.get(route)
  const answered: GateDeps['answered'] = (...what) => deps.metrics.answered(...what)
  app.use(createGate({ ...deps, accessOf, refusalOf, answered }))
  app.onError(onError(control, log, c => refusalOf(routeOf(c) ?? '')))

  for (const add of [healthRoutes(deps.notReady), metricsRoute(deps.metrics, control)]) add(routes)
  for (const add of deps.modules) add(routes)
  addDocs(routes, deps.version)
  app.route('/', routes.app)
  app.use('/api/*', limitBody())
  const inner = controlRoutes(control, c =>
    (c as Context<DoorEnv>).get('rights')?.has('admin') === true ? [] : ['allowed'],
  )
  for (const { method, path } of inner.routes)
    routes.allow(method, `/api${path}`, accessOfControl(method, path))
  app.route('/api', inner)

  const methodsOf = (path: string) => {
    const matched = METHODS.flatMap(method =>
      app.router
        .match(method, path)[0]
        .filter(([[, route]]) => route.method !== 'ALL')
        .map(([[, route]]) => ({ method, names: route.path.split('/:').length })),
    )
    // /api/task/script must not match /api/task/:uuid.
    const fewest = Math.min(...matched.map(one => one.names))
    return METHODS.filter(method =>
      matched.some(one => one.method === method && one.names === fewest),
    )
  }
  app.notFound(c => {
    const allowed = methodsOf(c.req.path)
    if (allowed.length === 0) {
      const bare = c.req.path.endsWith('/') ? c.req.path.slice(0, -1) : ''
      const hint =
        methodsOf(bare).length > 0 ? 'leave out the slash at its end' : '/docs shows them all'
      const { status, body } = failure(404, 'E_NO_ROUTE', `no such route. ${hint}`)
      return c.json(body, status)
    }
    const allow = allowed.join(', ')
    const { body } = failure(405, 'E_NO_METHOD', `this route takes ${allow}`)
    return c.json(body, 405, { allow })
  })
  return app
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE'] as const

/** What callers without `admin` may do, beside looking. */
const ACTING: Readonly<Record<string, Access>> = {
  '/tasks/push': 'push',
  '/tasks/run': 'run',
  '/tasks/retry': 'run',
}

function accessOfControl(method: string, path: string): Access {
  return method === 'GET' ? 'read' : (ACTING[path] ?? 'admin')
}
