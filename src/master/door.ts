import { onError } from '../api/app.ts'
import { type Auth, createAuth } from '../api/auth.ts'
import { type DoorOptions, HttpDoor, MOST_CONNECTIONS } from '../api/door.ts'
import { createDoorApp, type DoorAppDeps } from '../api/door-app.ts'
import { createRoutes, type DoorModule } from '../api/door-routes.ts'
import { failure } from '../api/errors.ts'
import { type Rate, RateLimiter } from '../api/rate.ts'
import { brokerRoutes } from '../api/routes/broker.ts'
import type { MetricsPort } from '../api/routes/metrics.ts'
import { pullRoutes } from '../api/routes/pull.ts'
import { legacyPullRoutes } from '../api/routes/pull-legacy.ts'
import type { QueueStatus, Status } from '../api/status.ts'
import type { Config } from '../config/config.ts'
import { descriptorsNeeded } from '../config/descriptors.ts'
import type { LiveConfig } from '../config/live.ts'
import { valueOf } from '../config/section-kind.ts'
import { programKind } from '../features/programs/section.ts'
import type { Clock } from '../lib/clock.ts'
import { openFilesLimit } from '../lib/proc.ts'
import { Metrics } from '../monitor/metrics.ts'
import type { QueueLook } from '../monitor/status-metrics.ts'
import { over } from '../queue/connection.ts'
import { oldestWaiting } from '../queue/oldest.ts'
import { TaskQueues } from '../queue/task-queues.ts'
import { Broker } from './broker.ts'
import type { DoorParts, DoorService, PublicParts } from './door-parts.ts'

/** Puts the door together: the routes of the control socket, and every part of the public API. */
export async function buildDoor(parts: DoorParts): Promise<DoorService> {
  const { http, config, engine, clock, log, health } = parts
  const daemon = parts.daemon()
  const metrics = new Metrics<Status>({
    ...parts,
    queueOf: id => engine.member(id)?.spec.taskKey ?? '',
    more: await parts.features.metrics(),
  })
  const { fixed, named } = await parts.features.routes()
  const shared = [...ownModules(parts), ...fixed]
  const common = {
    ...parts,
    control: daemon,
    host: http.host,
    notReady: () => [
      ...redisReason(health.status),
      ...(daemon.state === 'running' ? [] : [`taskd is ${daemon.state}`]),
    ],
    auth: liveAuth(config),
    limiter: liveLimiter(config, clock),
    metrics: metricsPort(metrics, parts, clock),
    now: () => clock.monotonic(),
  }
  // A reload may bring other old paths.
  const appNow = derived(config, next =>
    createDoorApp({
      ...common,
      modules: [...shared, legacyPullRoutes(parts.pull), ...named(next)],
    }),
  )
  const { httpCert: cert, httpKey: key } = config.current.settings
  const tls = cert !== undefined && key !== undefined ? { cert, key } : undefined
  const app: DoorOptions['app'] = { fetch: (request, env) => appNow().fetch(request, env) }
  const maxConnections = connectionsBeside(config.current)
  const door = new HttpDoor({ app, ...http, tls, log, maxConnections })
  return {
    name: door.name,
    start: () => door.start(),
    stop: async () => {
      await door.stop()
      metrics.close()
    },
    renew: () => door.reloadTls(),
  }
}

const FEWEST_CONNECTIONS = 16

/** Three quarters of the descriptors that the daemon and its programs leave. */
function connectionsBeside(config: Config): number {
  const left =
    openFilesLimit() -
    descriptorsNeeded({ queues: config.queues, processes: valueOf(config, programKind).processes })
  return Math.max(FEWEST_CONNECTIONS, Math.min(MOST_CONNECTIONS, Math.floor(left * 0.75)))
}

/** The public API alone, for whoever needs no secret. */
export async function publicApp(parts: PublicParts) {
  const routes = createRoutes()
  const { fixed } = await parts.features.routes()
  for (const add of [...ownModules(parts), ...fixed]) add(routes)
  routes.app.onError(onError(parts.daemon(), parts.log))
  routes.app.notFound(c => {
    const { status, body } = failure(404, 'E_NO_ROUTE', `no such route: ${c.req.path}`)
    return c.json(body, status)
  })
  return routes.app
}

/** The routes of tasks and queues, which every daemon has. */
function ownModules(parts: PublicParts): readonly DoorModule[] {
  return [brokerRoutes(buildBroker(parts)), pullRoutes(parts.pull)]
}

function buildBroker({ config, daemon, ask, clock }: PublicParts): Broker {
  return new Broker({
    config,
    queues: over(ask, client => {
      const keepMs = () => config.current.settings.resultKeepTimeMs
      return new TaskQueues(client, () => clock.now(), keepMs)
    }),
    redis: ask,
    clock,
    cancel: id => daemon().cancel(id),
  })
}

function redisReason({ ok, full, error }: DoorParts['health']['status']): string[] {
  if (ok) return []
  return [full ? `Redis is ${error}` : 'Redis is away']
}

/** Made anew when a reload has brought another configuration. */
function liveAuth(config: LiveConfig): () => Auth {
  return derived(config, ({ settings }) =>
    createAuth({
      all: settings.secret,
      read: settings.secretRead,
      push: settings.secretPush,
      pull: settings.secretPull,
    }),
  )
}

/** The limit for other machines when the configuration sets none. */
const USUAL_RATE: Rate = { max: 1000, durationMs: 1000 }

/** Callers on this machine are one address, and may be a proxy: no limit unless it is asked for. */
function liveLimiter(config: LiveConfig, clock: Clock): DoorAppDeps['limiter'] {
  const limiters = derived(config, ({ settings: { httpRate } }) => {
    const limiter = new RateLimiter(httpRate ?? USUAL_RATE, () => clock.monotonic())
    return { near: httpRate === undefined ? undefined : limiter, far: limiter }
  })
  return loopback => (loopback ? limiters().near : limiters().far)
}

function derived<T>(config: LiveConfig, make: (config: Config) => T): () => T {
  let made = make(config.current)
  config.onChange(next => {
    made = make(next)
  })
  return () => made
}

function metricsPort(
  metrics: Metrics<Status>,
  { ask, pull }: DoorParts,
  clock: Clock,
): MetricsPort {
  return {
    contentType: metrics.contentType,
    answered: (route, status, ms) => metrics.answered(route, status, ms),
    async render(status) {
      const looks = new Map<string, QueueLook>()
      const lookAt = async ({ mode, task_key: taskKey }: QueueStatus): Promise<QueueLook> => {
        if (mode === 'pull') {
          const { oldestMs, finishedTotal: finished, deadTotal: dead } = await pull.counts(taskKey)
          return { oldestS: oldestMs / 1000, ended: { finished, dead } }
        }
        const at = await oldestWaiting(ask, taskKey)
        return { oldestS: at === undefined ? 0 : Math.max(0, clock.now() - at) / 1000 }
      }
      const look = async (queue: QueueStatus) => void looks.set(queue.task_key, await lookAt(queue))
      // Queues that do not answer in time are left out.
      if (status.redis.answers) await Promise.allSettled(status.queues.map(look))
      return metrics.render(status, looks)
    },
  }
}
