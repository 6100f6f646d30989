import type { DrainReport, ReloadReport } from '../api/control.ts'
import type { Status } from '../api/status.ts'
import type { Config, Loaded } from '../config/config.ts'
import { formatProblem } from '../config/diagnostics.ts'
import type { LiveConfig } from '../config/live.ts'
import { valueOf } from '../config/section-kind.ts'
import type { FeatureSet } from '../features/feature-set.ts'
import { needsRedis } from '../features/needs-redis.ts'
import { programKind } from '../features/programs/section.ts'
import type { Supervisor } from '../features/programs/supervisor.ts'
import type { Clock } from '../lib/clock.ts'
import { count } from '../lib/count.ts'
import { TaskdError } from '../lib/errors.ts'
import type { RootLog } from '../lib/log.ts'
import { type Service, stopWithin } from '../lib/service.ts'
import type { SystemdNotifier } from '../monitor/systemd.ts'
import type { ManagedProgram } from '../supervise/managed-program.ts'
import type { DoorService } from './door-parts.ts'
import type { Engine } from './engine.ts'
import { type Living, reportOf } from './reload.ts'
import { Settling } from './settling.ts'

export interface DaemonDeps {
  readonly config: LiveConfig
  readonly load: () => Loaded
  readonly clock: Clock
  readonly root: Pick<RootLog, 'log' | 'reopen'>
  /** Commands for people to look at it, once it is ready. */
  readonly whereToLook: string
  /** Aborted when it begins to stop. */
  readonly stopping: AbortController
  readonly systemd: Service & Pick<SystemdNotifier, 'tell'>
  /** Answers from the first moment to the last. */
  readonly api: Service
  /** The same over TCP, and more; undefined without `http`. */
  readonly door: DoorService | undefined
  /** The Redis that we run ourselves. */
  readonly embedded: Pick<ManagedProgram, 'send' | 'until'> | undefined
  readonly supervisor: Pick<
    Supervisor,
    'start' | 'stop' | 'kill' | 'configure' | 'reopenLogs' | 'deedFor'
  >
  readonly features: Pick<
    FeatureSet,
    'all' | 'startFirst' | 'startAfterRedis' | 'configured' | 'hold' | 'take'
  >
  readonly health: Service
  /** Resolves when Redis answers. */
  readonly redisReady: (signal: AbortSignal, onLate: () => void) => Promise<void>
  /** In the order of their start; they stop in the reverse order. */
  readonly beforeEngine: readonly Service[]
  readonly engine: Pick<
    Engine,
    'start' | 'stop' | 'hurry' | 'reconfigure' | 'require' | 'runs' | 'pools'
  >
  readonly afterEngine: readonly Service[]
  readonly releaseAll: () => Promise<void>
}

/** How long a part may take to stop; the engine, whose runs may take long, has limits of its own. */
const STOP_LIMIT_MS = 5000

/** What becomes of a process whose section has changed. */
const DEEDS = {
  restart: 'restarts',
  start: 'starts',
  wait: 'takes effect when it starts',
  tune: 'changed live',
}

const processesOf = (config: Config) => valueOf(config, programKind).processes

/** The daemon as a whole: start, run, drain, stop. */
export class Daemon {
  readonly #deps: DaemonDeps
  readonly #settling: Settling
  readonly #stopped = deferred()
  #state: Status['state'] = 'starting'
  #start: Promise<void> | undefined
  #stop: Promise<void> | undefined

  constructor(deps: DaemonDeps) {
    this.#settling = new Settling(deps.clock, deps.root.log)
    this.#deps = deps
  }

  get state(): Status['state'] {
    return this.#state
  }

  /** Resolves when the daemon has stopped, whoever asked it to. */
  get stopped(): Promise<void> {
    return this.#stopped.promise
  }

  start(): Promise<void> {
    this.#start ??= this.#startAll()
    return this.#start
  }

  async #startAll(): Promise<void> {
    const { config, api, features, door, embedded, supervisor, health, systemd } = this.#deps
    const { redisReady, stopping } = this.#deps
    await api.start()
    // Before the door, and before whatever may fail. None of them waits for a server that is away.
    await features.startFirst()
    await door?.start()
    embedded?.send({ type: 'start' })
    // Programs need no Redis of ours, so they do not wait for it.
    const programs = supervisor.start(processesOf(config.current))
    await health.start()
    await systemd.start()
    await redisReady(stopping.signal, () => void programs.then(() => this.#wait()))
    for (const start of this.#whenRedisAnswers()) {
      if (stopping.signal.aborted) return
      await start()
    }
    await programs
    if (!stopping.signal.aborted) await this.#run()
  }

  #whenRedisAnswers(): readonly (() => Promise<void>)[] {
    const { beforeEngine, engine, afterEngine, features, stopping } = this.#deps
    return [
      ...beforeEngine.map(part => () => part.start()),
      () => engine.start(stopping.signal),
      ...afterEngine.map(part => () => part.start()),
      () => features.startAfterRedis(),
    ]
  }

  async #run(): Promise<void> {
    const { root, config, systemd, whereToLook } = this.#deps
    if (this.#state === 'starting' || this.#state === 'waiting') this.#state = 'running'
    const { jobs, queues } = config.current
    const programs = processesOf(config.current).length
    root.log.info({ jobs: jobs.length, queues: queues.length, programs }, 'ready')
    root.log.info(`look around: ${whereToLook}`)
    const holds = `${count(jobs.length, 'job')}, ${count(queues.length, 'queue')}`
    await systemd.tell('READY=1', `STATUS=${holds}`)
  }

  /** Redis is late: what runs without it is up. */
  #wait(): void {
    if (this.#state !== 'starting') return
    this.#state = 'waiting'
    // A service that is not ready in time would be killed with all its programs.
    if (!needsRedis(this.#deps.config.current))
      void this.#deps.systemd.tell('READY=1', 'STATUS=programs run; waiting for Redis')
  }

  /** In three steps: take no new work, let what runs finish, end what is left. Idempotent. */
  stop(why: string): Promise<void> {
    this.#stop ??= this.#stopAll(why)
    return this.#stop
  }

  async #stopAll(why: string): Promise<void> {
    const { root, systemd, health, embedded, supervisor, api, door, features } = this.#deps
    const { beforeEngine, engine, afterEngine, releaseAll } = this.#deps
    const { log } = root
    const end = (part: Pick<Service, 'name' | 'stop'>) => stopWithin(STOP_LIMIT_MS, part, log)
    this.#state = 'stopping'
    this.#deps.stopping.abort()
    log.info({ why, running: engine.runs }, 'stopping: no new work is taken')
    await systemd.tell('STOPPING=1')
    // First finishes what is just being started: a worker that starts later would outlive us.
    await end({ name: 'start', stop: async () => this.#start?.catch(() => undefined) })
    await end({ name: 'taking work', stop: () => features.hold() })
    // They have limits of their own: a run or a program may take long.
    await Promise.all([
      stopWithin(undefined, { name: 'workers', stop: () => engine.stop() }, log),
      stopWithin(undefined, { name: 'programs', stop: () => supervisor.stop('taskd stops') }, log),
    ])
    log.info('stopping: all workers and programs have left')
    // Before the connections, which pending answers may need.
    if (door) await end(door)
    const parts = [...beforeEngine, ...afterEngine, ...features.all].toReversed()
    for (const part of [...parts, health]) await end(part)
    await end({ name: 'connections', stop: releaseAll })
    if (embedded) {
      embedded.send({ type: 'stop', why: 'taskd stops' })
      await embedded.until('STOPPED', 'EXITED', 'FATAL')
    }
    await end(systemd)
    await end(api)
    log.info('stopped')
    this.#stopped.resolve()
  }

  /** Running tasks are ended and run again later. A program still gets its stopsignal and its time. */
  hurry(): void {
    this.#deps.root.log.warn('in a hurry: running tasks are ended and given back')
    this.#deps.engine.hurry()
  }

  /** As `hurry`, and KILL for each program, once its turn to stop has come. */
  kill(): void {
    this.hurry()
    this.#deps.root.log.warn('programs are killed without waiting for their stopwaitsecs')
    this.#deps.supervisor.kill()
  }

  /** After an outside logrotate has moved them. */
  reopenLogs(): void {
    this.#deps.root.reopen()
    this.#deps.supervisor.reopenLogs()
    this.#deps.door?.renew()
  }

  plan(): Promise<ReloadReport> {
    return Promise.resolve(
      reportOf(this.#deps.config.current, this.#deps.load(), this.#living(), false),
    )
  }

  #living(): Living {
    const { supervisor, engine } = this.#deps
    return {
      pool: taskKey => engine.pools.get(taskKey),
      effectOf: (kind, name, next) => {
        if (kind !== 'program') return undefined
        const spec = processesOf(next).find(one => one.name === name)
        return spec && DEEDS[supervisor.deedFor(spec)]
      },
    }
  }

  /** @throws TaskdError E_STOPPING */
  async reload(): Promise<ReloadReport> {
    const { root, load } = this.#deps
    if (this.#state === 'stopping')
      throw new TaskdError(
        'E_STOPPING',
        'taskd is stopping; its next start reads the configuration',
      )
    const loaded = load()
    const report = reportOf(this.#deps.config.current, loaded, this.#living(), true)
    if (!loaded.ok) {
      for (const problem of loaded.problems) root.log.error(formatProblem(problem))
      root.log.error(
        { problems: report.problems.length },
        'the configuration has mistakes; nothing was changed',
      )
      return report
    }
    // What takes effect only at a start stays as it is until then.
    this.#deps.config.replace(loaded.config)
    this.#deps.door?.renew()
    this.#deps.supervisor.configure(processesOf(loaded.config))
    await this.#settle(loaded.config)
    root.log.info({ changes: report.changes.length }, 'configuration applied')
    return report
  }

  #settle(config: Config): Promise<void> {
    return this.#settling.settle({
      ...this.#deps.features.configured(config),
      'workers and jobs': () => this.#deps.engine.reconfigure(),
    })
  }

  /** @throws TaskdError E_REDIS_AWAY */
  drain(): DrainReport {
    const engine = this.#deps.engine.require()
    if (this.#state === 'running') {
      this.#state = 'draining'
      this.#deps.root.log.info({ running: engine.pools.running }, 'draining: no new work is taken')
      void this.#deps.features.hold()
      void engine.drain('drained by hand').then(() => {
        if (this.#state === 'draining') this.#state = 'drained'
      })
    }
    return { running: engine.pools.running }
  }

  /** @throws TaskdError E_REDIS_AWAY */
  async endDrain(): Promise<void> {
    const engine = this.#deps.engine.require()
    if (this.#state !== 'draining' && this.#state !== 'drained') return
    this.#state = 'running'
    await engine.take()
    this.#deps.features.take()
  }
}

function deferred() {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve }
}
