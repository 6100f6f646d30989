import { resolve } from 'node:path'
import type { Control } from '../api/control.ts'
import { SocketServer } from '../api/listen.ts'
import type { Config, Loaded } from '../config/config.ts'
import { LiveConfig } from '../config/live.ts'
import { notify } from '../features/all.ts'
import { FeatureSet } from '../features/feature-set.ts'
import { FEATURES } from '../features/index.ts'
import { buildSupervisor } from '../features/programs/build.ts'
import { realClock } from '../lib/clock.ts'
import type { RootLog } from '../lib/log.ts'
import { version as installedVersion } from '../lib/shipped.ts'
import { Events } from '../model/events.ts'
import { logEvents } from '../monitor/log-events.ts'
import { Sampler } from '../monitor/sampler.ts'
import { SystemdNotifier } from '../monitor/systemd.ts'
import { over } from '../queue/connection.ts'
import { giveOrder } from '../queue/orders.ts'
import { Repeats } from '../queue/repeats.ts'
import { Wanted } from '../supervise/wanted.ts'
import { NO_LIST, Recorder } from '../workers/settle.ts'
import { connectRedis } from './connections.ts'
import { controlOf } from './control.ts'
import { Daemon } from './daemon.ts'
import { DataMark } from './data-mark.ts'
import { Engine } from './engine.ts'
import { lazyDoor } from './lazy-door.ts'
import { openDatabase } from './open-database.ts'
import { ProcessControl } from './process-control.ts'
import { buildPull } from './pull-build.ts'
import { untilRedisReady } from './redis-ready.ts'
import { scheduleControl } from './schedule-control.ts'
import { socketApp } from './socket-app.ts'
import { buildSqlJobs } from './sql-jobs/build.ts'
import { buildRunRows } from './sql-jobs/rows-build.ts'
import type { Start } from './started-by.ts'
import { TaskControl } from './task-control.ts'
import { buildViews } from './views.ts'

export interface Parts {
  readonly config: Config
  readonly instance: string
  readonly root: RootLog
  readonly load: () => Loaded
  readonly environment: NodeJS.ProcessEnv
  readonly start: Start
}

export interface Built {
  readonly daemon: Daemon
  /** What it can be asked and told. */
  readonly control: Control
}

/** Makes the parts of the daemon that are there from the start, and hands each what it needs. */
export function buildDaemon({ config, instance, root, load, environment, start }: Parts): Built {
  const { log } = root
  const { settings } = config
  const live = new LiveConfig(config)
  const events = new Events()
  const stopping = new AbortController()
  const clock = realClock
  const base = { config: live, clock, random: Math.random, events, log, instance, environment }
  live.onChange(({ settings: { logLevel } }) => root.setLevel(logLevel))
  logEvents(events, log)

  const redis = connectRedis(base)
  const { ask, asking, health, embedded } = redis
  const database = openDatabase({ ...base, redis })
  const { store, failLog, archiver, outbox } = database
  const shared = {
    ...base,
    store,
    failLog,
    redis: ask,
    ask,
    queues: asking.queues,
    stopping: stopping.signal,
  }

  // Tasks. The engine asks the others only when it runs, and they are made by then.
  const wanted = new Wanted(settings.dataDir, log, () => clock.now())
  const dataMark = new DataMark({
    ...shared,
    ...asking,
    dataDir: settings.dataDir,
    taskKeys: () => live.current.queues.map(queue => queue.taskKey),
    jobs: () => sql.jobs().map(job => job.name),
    announce: () => giveOrder(ask, { order: 'pauses' }),
  })
  const engine: Engine = new Engine({
    ...base,
    nodeName: settings.node,
    redisUrl: redis.url,
    redis: redis.work,
    health: () => health.status,
    dataMark,
    wanted,
    cancel: (_taskKey, id, reason) => tasks.cancel(id, reason),
    openRow: (...args) => void runRows.open(...args),
    jobs: () => sql.jobs(),
    onJobsChannel: () => sql.sqlJobs.nudge(),
  })
  const runRows = buildRunRows({ ...shared, engine })
  const sql = buildSqlJobs({
    ...shared,
    engine,
    redis: redis.work,
    answers: () => health.status.answers,
  })
  live.onChange(() => sql.sqlJobs.configure())
  const pull = buildPull({
    ...shared,
    onRecorded: () => outbox.nudge(),
    isWaiting: () => engine.isWaiting,
  })
  const known = { ...shared, ...asking, jobs: sql.jobs, findJob: (name: string) => sql.find(name) }
  const tasks: TaskControl = new TaskControl({
    ...known,
    node: () => engine.node,
    pull: pull.tasks,
    repeats: over(ask, client => new Repeats(client)),
    recorder: new Recorder(
      redis.work,
      clock,
      () => recording(live),
      what => log.warn(what, NO_LIST),
    ),
    orderCancel: (id, reason) => engine.orderCancel(id, reason),
  })
  const schedule = scheduleControl({ ...known, orderReread: job => engine.orderReread(job) })

  // Programs, and all other features.
  const supervisor = buildSupervisor({ ...base, wanted })
  const processes = new ProcessControl({ config: live, engine, embedded, supervisor, wanted })
  const features = new FeatureSet(FEATURES, {
    ...shared,
    jobs: sql.jobs,
    engine,
    health: () => health.status,
    database: () => database.condition,
  })

  // The doors, and the whole.
  const version = installedVersion()
  const outside = { ...base, ask, engine, features, health, version, pull: pull.control }
  const parts = { ...outside, daemon: () => control }
  const daemon: Daemon = new Daemon({
    ...base,
    load,
    root,
    whereToLook: whereToLook(config, redis.url),
    stopping,
    systemd: new SystemdNotifier(environment, clock, log),
    api: new SocketServer({ app: socketApp(parts), path: settings.socket }),
    door: settings.http && lazyDoor({ ...parts, http: settings.http }),
    embedded,
    supervisor,
    health,
    features,
    redisReady: (...args) => untilRedisReady({ health, embedded, clock, log }, ...args),
    // What was paused is paused before anything runs.
    beforeEngine: [dataMark, archiver, pull.keeper],
    engine,
    // Recovery has given back what died with the daemon before: its rows can be ended now.
    afterEngine: [sql.sqlJobs, runRows, new Sampler(clock, () => engine.sampled)],
    releaseAll: async () => {
      await redis.close()
      await store.close()
    },
  })
  const views = buildViews({
    ...outside,
    ...sql,
    failLog,
    redis: ask,
    redisUrl: redis.url,
    asking,
    state: () => daemon.state,
    embedded,
    supervisor,
    dataMark,
    archiver: () => archiver,
    runRows,
    databaseAddress: store.address,
    wanted,
  })
  const control = controlOf({
    daemon,
    engine,
    processes,
    tasks,
    schedule,
    sqlJobs: sql.control,
    notices: { testNotify: async name => (await features.get(notify)).testNotify(name) },
    views,
    start,
    dataMark,
    health: () => health.status,
  })
  return { daemon, control }
}

function recording({ current: { settings } }: LiveConfig) {
  return { resultKeepMs: settings.resultKeepTimeMs, timezone: settings.timezone }
}

/** Paths relative to the current folder where that is shorter. */
function whereToLook(config: Config, redisUrl: string): string {
  const standard = resolve('conf/cron.ini') === config.file
  const flag = standard ? '' : ` -c ${config.file}`
  const socket = redisUrl.startsWith('unix:') ? `, redis-cli -s ${redisUrl.slice(5)}` : ''
  return `bin/taskd status${flag}, bin/taskd fails${flag}${socket}`
}
