import { type Context, type ErrorHandler, Hono } from 'hono'
import { routePath } from 'hono/route'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { memoryText } from '../model/redis-memory.ts'
import { limitBody } from './body-size.ts'
import type { Control } from './control.ts'
import { type Failure, failure, failureOf, type Refusal, refuse } from './errors.ts'
import { configRoutes } from './routes/config.ts'
import { daemonRoutes } from './routes/daemon.ts'
import { failRoutes } from './routes/fails.ts'
import { notifyRoutes } from './routes/notify.ts'
import { processRoutes } from './routes/processes.ts'
import { queueRoutes } from './routes/queues.ts'
import { runRoutes } from './routes/runs.ts'
import { scheduleRoutes } from './routes/schedule.ts'
import { sqlJobRoutes } from './routes/sql-jobs.ts'
import { statusRoutes } from './routes/status.ts'
import { tailRoutes } from './routes/tail.ts'
import { type ScriptsOf, taskRoutes } from './routes/tasks.ts'
import { whyRoutes } from './routes/why.ts'

/** The control API: every route asks the port and turns its answer into JSON. */
export function createApp(control: Control, log: Pick<Logger, 'error'>) {
  const app = new Hono()
  app.use(limitBody())
  app.onError(onError(control, log))
  app.notFound(c => {
    const { status, body } = failure(404, 'E_NO_ROUTE', `no such route: ${c.req.path}`)
    return c.json(body, status)
  })
  return app.route('/api', controlRoutes(control))
}

/** Whatever a route throws, as an answer; errors of our own go to the log too. */
export function onError(
  control: Control,
  log: Pick<Logger, 'error'>,
  refusalOf: (c: Context) => Refusal | undefined = () => undefined,
): ErrorHandler {
  return async (error, c) => {
    // The client has left, which ended its request; nobody reads this answer.
    if (c.req.raw.signal.aborted) return c.json(failure(400, 'E_GONE', 'the client left').body, 400)
    const failed = await withCause(failureOf(error), control)
    if (failed.unexpected)
      log.error(
        {
          method: c.req.method,
          route: routePath(c, -1),
          error: messageOf(error),
          stack: error.stack,
        },
        'a request failed unexpectedly',
      )
    return refuse(c, failed, refusalOf(c))
  }
}

/**
 * An unexpected error while Redis is away counts as caused by that; the error of a full Redis gets
 * figures.
 */
async function withCause(found: Failure, control: Control): Promise<Failure> {
  const isFull = found.body.error.code === 'E_REDIS_FULL'
  if (!found.unexpected && !isFull) return found
  const redis = (await control.status().catch(() => undefined))?.redis
  if (redis === undefined) return found
  // It may have refused something before the next look at its memory.
  if (isFull || redis.full) {
    const { used_memory: used, maxmemory: max } = redis
    if (used === null || max === null || max === 0) return found
    const memory = memoryText({ used, max })
    const message = `Redis is FULL: ${memory}; it refuses what needs memory. What waits in it is worked off: try again when there is room`
    return failure(503, 'E_REDIS_FULL', message)
  }
  if (redis.ok) return found
  const message = `Redis is away: ${redis.error}. taskd status shows when it is back`
  return failure(503, 'E_REDIS_AWAY', message)
}

/**
 * Every route of the Control port; the caller mounts them.
 * @param scriptsOf which scripts the caller of a request may have run; any when left out
 */
export function controlRoutes(control: Control, scriptsOf?: ScriptsOf) {
  return new Hono()
    .route('/', statusRoutes(control))
    .route('/', processRoutes(control))
    .route('/', configRoutes(control))
    .route('/', taskRoutes(control, scriptsOf))
    .route('/', failRoutes(control))
    .route('/', queueRoutes(control))
    .route('/', daemonRoutes(control))
    .route('/', notifyRoutes(control))
    .route('/', runRoutes(control))
    .route('/', scheduleRoutes(control))
    .route('/', sqlJobRoutes(control))
    .route('/', tailRoutes(control))
    .route('/', whyRoutes(control))
}

/** What the typed client is made from. */
export type App = ReturnType<typeof createApp>
