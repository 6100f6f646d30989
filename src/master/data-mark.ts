import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Redis } from 'ioredis'
import { type Clock, isoWithOffset } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { Loop } from '../lib/loop.ts'
import type { Service } from '../lib/service.ts'
import type { Events } from '../model/events.ts'
import { type FailFast, onConnected } from '../queue/connection.ts'
import type { CronStore } from '../queue/cron-store.ts'
import { DATA_MARK } from '../queue/keys.ts'
import { writeAnyway } from '../queue/scripts.ts'
import type { TaskQueues } from '../queue/task-queues.ts'
import type { TickStore } from '../schedule/ports.ts'

export interface DataMarkDeps {
  readonly dataDir: string
  readonly redis: FailFast
  readonly queues: Pick<TaskQueues, 'isPaused' | 'pause'>
  readonly cron: Pick<CronStore, 'pausesOf' | 'setPaused'>
  readonly taskKeys: () => readonly string[]
  readonly jobs: () => readonly string[]
  /** Tells all nodes, this one included, that something was paused or resumed. */
  readonly announce: () => Promise<unknown>
  readonly clock: Clock
  readonly events: Events
  readonly log: Logger
}

/** What people, or `pause_on_failures`, have paused. */
interface Pauses {
  readonly queues: readonly string[]
  /** With the reason. */
  readonly jobs: Readonly<Record<string, string>>
}

/** The file in data_dir. */
interface Known {
  readonly mark: string
  readonly pauses: Pauses
  /** When Redis was found without its earlier data, wall time, ms. */
  readonly emptiedAt?: number
}

const LOOK_MS = 10_000
/** The wait after a look that failed. */
const AGAIN_MS = 500
/** How often a read is repeated before its tick is delayed. */
const TRIES = 3
/** How long the loss of data is shown. */
export const SHOWN_MS = 86_400_000
const NOTHING: Known = { mark: '', pauses: { queues: [], jobs: {} } }

/**
 * Recognises the data in Redis by a random mark, which is kept on disk too, with the pauses. Another
 * mark, or none, means that the earlier data is gone: it is reported, and the pauses are put back.
 * Any node that knew the data may do that, but only one does: a note beside the new mark says that
 * the pauses of the old one are back, so that a pause that was lifted since does not come back.
 */
export class DataMark implements Service {
  readonly name = 'mark of the data in Redis'
  readonly #deps: DataMarkDeps
  readonly #file: string
  #known: Known
  #onDisk: Known
  readonly #loop: Loop
  #stopping = new AbortController()
  #unwatch = () => {}
  #looking: Promise<void> = Promise.resolve()
  #confirming: Promise<void> | undefined

  constructor(deps: DataMarkDeps) {
    this.#deps = deps
    this.#loop = new Loop({
      clock: deps.clock,
      round: async () => ((await this.#tryLook()) ? LOOK_MS : AGAIN_MS),
    })
    this.#file = join(deps.dataDir, 'redis-data.json')
    this.#known = read(this.#file)
    this.#onDisk = this.#known
  }

  /** ISO 8601: when Redis was found without its data, if that was within a day; else null. */
  get emptied(): string | null {
    const { emptiedAt } = this.#known
    const isRecent = emptiedAt !== undefined && this.#deps.clock.now() - emptiedAt < SHOWN_MS
    return isRecent ? isoWithOffset(emptiedAt) : null
  }

  /** Resolves after the first look that was answered: what was paused is paused then. */
  async start(): Promise<void> {
    if (this.#loop.running) return
    this.#stopping = new AbortController()
    const { signal } = this.#stopping
    this.#unwatch = onConnected(this.#deps.redis, () => this.#loop.nudge())
    while (!signal.aborted && !(await this.#tryLook()))
      await this.#deps.clock.sleep(AGAIN_MS, signal)
    if (!signal.aborted) this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#unwatch()
    await this.#loop.stop()
  }

  /**
   * Something was paused or resumed: it is on disk at once, here and elsewhere, for Redis may be
   * emptied the next moment. A look that fails is followed by another.
   */
  async changed(): Promise<void> {
    await Promise.all([this.#tryLook(), this.#deps.announce().catch(() => undefined)])
  }

  /** Another node reports a change. */
  noteChange(): void {
    this.#loop.nudge()
  }

  /** One look at a time. */
  look(): Promise<void> {
    this.#looking = this.#looking.catch(() => undefined).then(() => this.#look())
    return this.#looking
  }

  /**
   * The same store, for the schedule. What it reads may be of a Redis that was emptied a moment ago,
   * also when another node has written to it since: then it is read again once the pauses of before
   * are back. What it pauses is on disk before it goes on.
   * @param redis the connection of the store: it answers in order, so that a mark which is asked for
   *   after a state is not older than that
   */
  guard(store: TickStore, redis: Pick<Redis, 'hget'>): TickStore {
    const sure = async <T>(act: () => Promise<T>): Promise<T> => {
      for (let tries = 0; tries < TRIES; tries += 1) {
        const known = this.#known.mark
        const [read, mark] = await Promise.all([act(), redis.hget(DATA_MARK, 'mark')])
        if (mark === known) return read
        await this.#confirm()
      }
      throw new Error('the data in Redis is another one each time')
    }
    return {
      read: job => sure(() => store.read(job)),
      readMany: jobs => sure(() => store.readMany(jobs)),
      advance: (...args) => store.advance(...args),
      beginPass: (...args) => store.beginPass(...args),
      reset: (...args) => store.reset(...args),
      setPaused: async (...args) => {
        await store.setPaused(...args)
        await this.changed()
      },
      bootOf: (...args) => store.bootOf(...args),
      setBoot: (...args) => store.setBoot(...args),
    }
  }

  /** One look for all the jobs that are due at once. */
  #confirm(): Promise<void> {
    this.#confirming ??= this.look().finally(() => {
      this.#confirming = undefined
    })
    return this.#confirming
  }

  #tryLook(): Promise<boolean> {
    return this.look().then(
      () => true,
      (error: unknown) => {
        this.#deps.log.debug({ error: messageOf(error) }, 'the mark of the data in Redis')
        return false
      },
    )
  }

  async #look(): Promise<void> {
    const { redis } = this.#deps
    const known = this.#known.mark
    if ((await redis.hexists(DATA_MARK, 'mark')) === 0)
      await writeAnyway(redis, [['HSETNX', DATA_MARK, 'mark', randomUUID()]])
    const [mark, back] = await redis.hmget(DATA_MARK, 'mark', `pauses of ${known}`)
    if (typeof mark !== 'string') throw new Error('the mark was taken away as soon as it was made')
    if (known !== '' && mark !== known) await this.#putBack(known, mark, typeof back === 'string')
    const pauses = await this.#read()
    // If Redis was emptied just now, these are not the pauses of that mark.
    if ((await redis.hget(DATA_MARK, 'mark')) === mark) this.#keep({ ...this.#known, mark, pauses })
  }

  async #putBack(known: string, mark: string, isBack: boolean): Promise<void> {
    const { redis, queues, cron, clock, events, log } = this.#deps
    const { pauses } = this.#known
    if (!isBack) {
      for (const one of pauses.queues) await queues.pause(one)
      for (const [job, why] of Object.entries(pauses.jobs)) await cron.setPaused(job, why)
      await writeAnyway(redis, [['HSET', DATA_MARK, `pauses of ${known}`, 1]])
    }
    this.#keep({ mark, pauses, emptiedAt: clock.now() })
    const paused = [...pauses.queues, ...Object.keys(pauses.jobs)]
    log.error({ paused }, `${EMPTIED}; pauses are in force again`)
    events.emit({ type: 'emptied', msg: EMPTIED })
  }

  async #read(): Promise<Pauses> {
    const { queues, cron, taskKeys, jobs } = this.#deps
    const before = this.#known.pauses
    const keys = taskKeys()
    const names = jobs()
    const paused = await Promise.all(keys.map(key => queues.isPaused(key)))
    // Jobs of SQL are not known before their table was read.
    const isKnown = new Set(names)
    const others = Object.entries(before.jobs).filter(([name]) => !isKnown.has(name))
    return {
      queues: keys.filter((_, n) => paused[n]),
      jobs: { ...Object.fromEntries(others), ...(await cron.pausesOf(names)) },
    }
  }

  #keep(known: Known): void {
    if (isDeepStrictEqual(known, this.#onDisk)) {
      this.#known = known
      return
    }
    const isNew = !isDeepStrictEqual(known, this.#known)
    this.#known = known
    try {
      writeFileSync(`${this.#file}.new`, `${JSON.stringify(known, null, 1)}\n`, { mode: 0o640 })
      renameSync(`${this.#file}.new`, this.#file)
      this.#onDisk = known
    } catch (error) {
      // It is tried again with each look, and told once.
      if (!isNew) return
      const what = { file: this.#file, error: messageOf(error) }
      this.#deps.log.error(what, 'what is paused cannot be kept on disk')
    }
  }
}

const EMPTIED = 'Redis has lost its data: waiting tasks, delayed tasks and answers are gone'

function read(file: string): Known {
  try {
    const { mark, pauses, emptiedAt } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Known>
    if (typeof mark !== 'string') return NOTHING
    const { queues = [], jobs = {} } = pauses ?? {}
    return { mark, pauses: { queues, jobs }, ...(emptiedAt !== undefined && { emptiedAt }) }
  } catch {
    return NOTHING
  }
}
