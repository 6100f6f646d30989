import type { Redis } from 'ioredis'
import type { NotifyControl } from '../../api/notify-port.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { Service } from '../../lib/service.ts'
import type { Engine } from '../../master/engine.ts'
import type { Events } from '../../model/events.ts'
import type { Job } from '../../model/job.ts'
import type { NotifySpec, NotifyStatus, NotifyTested } from '../../model/notice.ts'
import type { QueueSpec } from '../../model/queue-spec.ts'
import type { RedisHealthStatus } from '../../monitor/redis-health.ts'
import { pullKeys } from '../../queue/keys.ts'
import type { TaskQueues } from '../../queue/task-queues.ts'
import { nextAfter } from '../../schedule/next-times.ts'
import type { Notices } from './notices.ts'
import { claimNotice, readSigns } from './signs.ts'
import type { PartCondition, Place, World } from './world.ts'

export interface LazyNoticesDeps {
  readonly specs: readonly NotifySpec[]
  readonly dataDir: string
  readonly clock: Clock
  readonly log: Logger
  readonly events: Events
  readonly world: World
}

/** Notices with all that sends them are loaded with the first section: many daemons have none. */
export class LazyNotices implements Service, NotifyControl {
  readonly name = 'notices'
  readonly #deps: LazyNoticesDeps
  #notices: Notices | undefined
  #changing: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(deps: LazyNoticesDeps) {
    this.#deps = deps
  }

  start(): Promise<void> {
    return this.configure(this.#deps.specs)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#changing
    await this.#notices?.stop()
  }

  /** Calls are done in turn. */
  configure(specs: readonly NotifySpec[]): Promise<void> {
    this.#changing = this.#changing.then(() => this.#change(specs))
    return this.#changing
  }

  async #change(specs: readonly NotifySpec[]): Promise<void> {
    if (this.#notices) return this.#notices.configure(specs)
    if (specs.length === 0 || this.#stopped) return
    const { Notices } = await import('./notices.ts')
    this.#notices = new Notices(specs, { ...this.#deps, random: Math.random })
  }

  get statuses(): readonly NotifyStatus[] {
    return this.#notices?.statuses ?? []
  }

  async testNotify(name: string): Promise<NotifyTested> {
    await this.#changing
    if (this.#notices) return this.#notices.test(name)
    const { noSuchSection } = await import('./notices.ts')
    throw noSuchSection(name, [])
  }
}

export interface WorldParts {
  readonly jobs: () => readonly Job[]
  readonly queues: () => readonly QueueSpec[]
  readonly engine: Engine
  /** A connection that fails rather than waits. */
  readonly ask: Redis
  readonly asking: TaskQueues
  readonly leaving: () => boolean
  readonly health: () => Pick<RedisHealthStatus, 'ok' | 'answers' | 'error'>
  readonly database: () => { readonly ok: boolean; readonly error?: string }
}

/** What notices have to ask, put to those who know it. */
export function worldOf(parts: WorldParts): World {
  const { jobs, queues, engine, ask, asking, leaving, health, database } = parts
  return {
    node: () => engine.node,
    jobs,
    next: (job, after) => nextAfter(job.trigger, job.timezone, after),
    isWorker: name => engine.member(name) !== undefined,
    taskKeyOf: workerId => engine.member(workerId)?.spec.taskKey ?? '',
    ready: () => !engine.isWaiting && health().answers,
    signs: names => readSigns(ask, names),
    async placeOf(job, id): Promise<Place> {
      const { taskKey } = job.task
      if (queues().some(one => one.taskKey === taskKey && one.mode === 'pull')) {
        const { todo, doing } = pullKeys(taskKey)
        if ((await ask.zscore(doing, id)) !== null) return 'running'
        return (await ask.zscore(todo, id)) === null ? 'nowhere' : 'waiting'
      }
      const state = await asking.state(taskKey, id)
      if (state === 'active') return 'running'
      if (state === 'delayed') return 'delayed'
      return state === 'waiting' ? 'waiting' : 'nowhere'
    },
    claim: (section, job, tick) => claimNotice(ask, engine.node, { section, job, tick }),
    leaving,
    conditions: () => {
      const [redis, sql] = [health(), database()]
      return [
        { what: 'redis', ok: redis.ok, error: redis.error },
        { what: 'database', ok: sql.ok, error: sql.error ?? '' },
      ] satisfies PartCondition[]
    },
  }
}
