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
import { createArchiver } from '../monitor/archiver.ts'
import { logEvents } from '../monitor/log-events.ts'
import { RedisOutbox } from '../monitor/outbox.ts'
import { RedisHealth } from '../monitor/redis-health.ts'
import { Sampler } from '../monitor/sampler.ts'
import { SystemdNotifier } from '../monitor/systemd.ts'
import { createClient, over } from '../queue/connection.ts'
import { CronStore } from '../queue/cron-store.ts'
import { giveOrder } from '../queue/orders.ts'
import { PullFeed } from '../queue/pull-feed.ts'
import { Repeats } from '../queue/repeats.ts'
import { withScripts } from '../queue/scripts.ts'
import { TaskQueues } from '../queue/task-queues.ts'
import { openStore } from '../store/store.ts'
import { Wanted } from '../supervise/wanted.ts'
import { NO_LIST, Recorder } from '../workers/settle.ts'
import { controlOf } from './control.ts'
import { Daemon } from './daemon.ts'
import { DataMark } from './data-mark.ts'
import { Engine } from './engine.ts'
import { lazyDoor } from './lazy-door.ts'
import { ProcessControl } from './process-control.ts'
import { buildPull } from './pull-build.ts'
import { redisProgram } from './redis-program.ts'
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
  const clock = realClock
  const { log } = root
  const { settings } = config
  const live = new LiveConfig(config)
  live.onChange(({ settings: { logLevel } }) => root.setLevel(logLevel))
  const events = new Events()
  const stopping = new AbortController()
  logEvents(events, log)

  const own =
    settings.redis === 'embedded'
      ? redisProgram(settings.dataDir, settings.redisServer ?? 'redis-server', {
          clock,
          events,
          random: Math.random,
        })
      : undefined
  const embedded = own?.program
  const redisUrl = own?.url ?? settings.redis
  const redis = withScripts(createClient(redisUrl, 'work', 'taskd'))
  const ask = withScripts(createClient(redisUrl, 'ask', 'taskd ask'))
  const asking = {
    queues: over(ask, client => {
      const keepMs = () => live.current.settings.resultKeepTimeMs
      return new TaskQueues(client, () => clock.now(), keepMs)
    }),
    feed: over(ask, client => new PullFeed(client, () => clock.now())),
    cron: over(ask, client => new CronStore(client)),
  }
  const health = new RedisHealth(ask, clock, events)

  const wanted = new Wanted(settings.dataDir, log, () => clock.now())
  const dataMark = new DataMark({
    dataDir: settings.dataDir,
    redis: ask,
    ...asking,
    taskKeys: () => live.current.queues.map(queue => queue.taskKey),
    jobs: () => sql.jobs().map(job => job.name),
    announce: () => giveOrder(ask, { order: 'pauses' }),
    clock,
    events,
    log,
  })

  // It asks the others only when it runs, and they are made by then.
  const engine: Engine = new Engine({
    config: live,
    nodeName: settings.node,
    instance,
    redisUrl,
    redis,
    health: () => health.status,
    dataMark,
    clock,
    events,
    log,
    wanted,
    cancel: (_taskKey, id, reason) => tasks.cancel(id, reason),
    openRow: (...args) => void runRows.open(...args),
    jobs: () => sql.jobs(),
    onJobsChannel: () => sql.sqlJobs.nudge(),
  })

  const supervisor = buildSupervisor({
    settings,
    instance,
    clock,
    events,
    log,
    wanted,
    environment,
    queues: () => live.current.queues,
  })
  const processes = new ProcessControl({
    config: live,
    engine,
    embedded,
    supervisor,
    wanted,
  })

  const store = openStore(settings.database, log, clock)
  // Rows that are in SQL need not stay in a full Redis.
  const outbox = new RedisOutbox(redis, clock, () =>
    health.status.full ? 1 : live.current.settings.failKeepTimeMs,
  )
  const archiver = createArchiver({ outbox, store, clock, random: Math.random, log })
  events.subscribe(event => {
    if (event.type === 'run-ended' && event.run.kind !== '') outbox.nudge()
  })

  const runRows = buildRunRows({
    config: live,
    engine,
    store,
    redis: ask,
    clock,
    events,
    log,
  })

  const sql = buildSqlJobs({
    config: live,
    engine,
    store,
    redis,
    ask,
    answers: () => health.status.answers,
    clock,
    events,
    log,
  })
  const { jobs } = sql
  live.onChange(() => sql.sqlJobs.configure())

  const pull = buildPull({
    config: live,
    ask,
    queues: asking.queues,
    clock,
    log,
    onRecorded: () => outbox.nudge(),
    events,
    isWaiting: () => engine.isWaiting,
  })

  const tasks: TaskControl = new TaskControl({
    config: live,
    jobs,
    findJob: name => sql.find(name),
    node: () => engine.node,
    queues: asking.queues,
    cron: asking.cron,
    stopping: stopping.signal,
    pull: pull.tasks,
    repeats: over(ask, client => new Repeats(client)),
    recorder: new Recorder(
      redis,
      clock,
      () => {
        const { resultKeepTimeMs, timezone } = live.current.settings
        return { resultKeepMs: resultKeepTimeMs, timezone }
      },
      what => log.warn(what, NO_LIST),
    ),
    store,
    clock,
    orderCancel: (id, reason) => engine.orderCancel(id, reason),
  })

  const schedule = scheduleControl({
    config: live,
    jobs,
    findJob: name => sql.find(name),
    queues: asking.queues,
    cron: asking.cron,
    feed: asking.feed,
    clock,
    stopping: stopping.signal,
    orderReread: job => engine.orderReread(job),
  })

  const features = new FeatureSet(FEATURES, {
    config: live,
    clock,
    random: Math.random,
    log,
    events,
    redis: ask,
    queues: asking.queues,
    jobs,
    engine,
    health: () => health.status,
    database: () => {
      const { ok, error = '' } = archiver.status()
      return { ok: ok !== false, error }
    },
    stopping: stopping.signal,
  })

  const version = installedVersion()
  const { http } = settings
  const doorDeps = {
    config: live,
    engine,
    features,
    daemon: () => control,
    health,
    pull: pull.control,
    ask,
    version,
    clock,
    events,
    log,
  }
  const door = http && lazyDoor({ ...doorDeps, http })

  const daemon: Daemon = new Daemon({
    config: live,
    load,
    clock,
    root,
    whereToLook: whereToLook(config, redisUrl),
    stopping,
    systemd: new SystemdNotifier(environment, clock, log),
    api: new SocketServer({ app: socketApp(doorDeps), path: settings.socket }),
    door,
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
      await asking.queues.close()
      redis.disconnect()
      ask.disconnect()
      await store.close()
    },
  })
  const views = buildViews({
    version,
    clock,
    events,
    config: live,
    state: () => daemon.state,
    engine,
    embedded,
    supervisor,
    health,
    dataMark,
    archiver: () => archiver,
    runRows,
    jobs,
    jobStates: sql.jobStates,
    sqlJobs: sql.sqlJobs,
    databaseAddress: store.address,
    redisUrl,
    asking,
    pull: pull.control,
    features,
    wanted,
    store,
    redis: ask,
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

/** Paths relative to the current folder where that is shorter. */
function whereToLook(config: Config, redisUrl: string): string {
  const standard = resolve('conf/cron.ini') === config.file
  const flag = standard ? '' : ` -c ${config.file}`
  const socket = redisUrl.startsWith('unix:') ? `, redis-cli -s ${redisUrl.slice(5)}` : ''
  return `bin/taskd status${flag}, bin/taskd fails${flag}${socket}`
}
