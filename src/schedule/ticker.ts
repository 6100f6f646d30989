import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { Service } from '../lib/service.ts'
import type { CronState } from '../model/cron-state.ts'
import type { Events } from '../model/events.ts'
import type { Job } from '../model/job.ts'
import type { Task } from '../model/task.ts'
import { catchUp } from './misfire.ts'
import { nextAfter } from './next-times.ts'

/** What is remembered of the jobs; kept in Redis, so that any number of nodes share it. */
export interface TickStore {
  read(job: string): Promise<CronState>
  readMany(jobs: readonly string[]): Promise<CronState[]>
  advance(job: string, tick: number, taskId: string): Promise<boolean>
  reset(job: string, cursor: number, spec: string): Promise<void>
  setPaused(job: string, why: string): Promise<void>
  bootOf(job: string, node: string): Promise<string>
  setBoot(job: string, node: string, boot: string): Promise<void>
}

/** Where due tasks go. */
export interface TickQueue {
  add(taskKey: string, tasks: readonly Task[]): Promise<void>
  /** True while the task waits, runs, or waits to be retried. */
  isOpen(taskKey: string, id: string): Promise<boolean>
  cancel(taskKey: string, id: string, reason: string): Promise<void>
}

export interface TickerDeps {
  readonly store: TickStore
  readonly queue: TickQueue
  readonly clock: Clock
  readonly events: Events
  readonly log: Logger
  readonly node: string
  /** What tells one boot of this machine (or container) from the next. */
  readonly boot: string
  readonly random: () => number
}

/** A clock that was ahead by more than this was corrected, not set back for a season. */
const CORRECTION_MS = 3 * 3_600_000
/** No sleep is longer, so a jump of the clock is noticed. */
const LONGEST_SLEEP_MS = 30_000
/** Node's long timers are late by 0.1 % of their length: come close, then wait the rest. */
const NEAR_MS = 1000
const NEARER_MS = 50
const RETRY_MS = 500
/** How often a tick that waits for the run before it is looked at, when no event says more. */
const HELD_POLL_MS = 1000

interface Entry {
  readonly job: Job
  /** When it wants to be looked at next, ms; Infinity = never. */
  next: number
  /** The tick that waits for the run before it (overlap = queue). */
  held: number | undefined
}

/**
 * Turns time into tasks. A tick is first enqueued under an id made of the job and the tick, then
 * the job's cursor moves: killed in between, or with many nodes at it, the tick still makes one
 * task. https://man7.org/linux/man-pages/man8/cron.8.html for what people expect of it.
 */
export class Ticker implements Service {
  readonly name = 'ticker'
  readonly #deps: TickerDeps
  #entries = new Map<string, Entry>()
  #stopping = new AbortController()
  #wake = new AbortController()
  /** The latest wall time that was seen. */
  #latest = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined
  #unsubscribe: (() => void) | undefined

  constructor(jobs: readonly Job[], deps: TickerDeps) {
    this.#deps = deps
    this.setJobs(jobs)
  }

  /** Takes over a changed configuration; what a job has behind it stays known. */
  setJobs(jobs: readonly Job[]): void {
    const enabled = jobs.filter(job => job.enabled)
    // -Infinity: to be looked at before anything else, which reads its cursor.
    this.#entries = new Map(
      enabled.map(job => [job.name, { job, next: Number.NEGATIVE_INFINITY, held: undefined }]),
    )
    this.#wake.abort()
  }

  /** The next tick of a job, or undefined when it has none. */
  nextOf(name: string): number | undefined {
    const entry = this.#entries.get(name)
    if (!entry) return undefined
    return nextAfter(entry.job.trigger, entry.job.timezone, this.#deps.clock.now())
  }

  async start(): Promise<void> {
    if (this.#running) return
    this.#stopping = new AbortController()
    this.#unsubscribe = this.#deps.events.subscribe(event => {
      if (event.type === 'run-ended' && event.run.job !== '') this.#release(event.run.job)
    })
    this.#running = this.#loop()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#stopping.abort()
    this.#wake.abort()
    await this.#running
    this.#running = undefined
  }

  #release(name: string): void {
    const entry = this.#entries.get(name)
    if (entry?.held === undefined) return
    entry.next = Number.NEGATIVE_INFINITY
    this.#wake.abort()
  }

  async #loop(): Promise<void> {
    const { clock } = this.#deps
    const { signal } = this.#stopping
    while (!signal.aborted) {
      this.#wake = new AbortController()
      const now = clock.now()
      this.#noticeCorrection(now)
      const fresh: Entry[] = []
      const due: Entry[] = []
      let soonest = Number.POSITIVE_INFINITY
      for (const entry of this.#entries.values()) {
        if (entry.next === Number.NEGATIVE_INFINITY && entry.held === undefined) fresh.push(entry)
        else if (entry.next <= now) due.push(entry)
        else if (entry.next < soonest) soonest = entry.next
      }
      if (fresh.length > 0) await this.#begin(fresh)
      if (due.length > 0) await Promise.all(due.map(entry => this.#attend(entry)))
      if (fresh.length + due.length === 0) await this.#sleepUntil(soonest)
    }
  }

  /** Set back so far, the clock was wrong before: every next time that was made by it is, too. */
  #noticeCorrection(now: number): void {
    if (this.#latest - now > CORRECTION_MS) {
      this.setJobs([...this.#entries.values()].map(entry => entry.job))
      this.#latest = now
    }
    this.#latest = Math.max(this.#latest, now)
  }

  async #sleepUntil(instant: number): Promise<void> {
    const { clock } = this.#deps
    const left = instant - clock.now()
    let ms = left
    if (left > LONGEST_SLEEP_MS + NEAR_MS) ms = LONGEST_SLEEP_MS
    else if (left > NEAR_MS * 1.2) ms = left - NEAR_MS
    else if (left > NEARER_MS * 1.2) ms = left - NEARER_MS
    await clock.sleep(ms, this.#wake.signal)
  }

  /** Reads where new entries stand, all at once: ten thousand of them in one go. */
  async #begin(entries: readonly Entry[]): Promise<void> {
    const { store, clock } = this.#deps
    let states: readonly CronState[]
    try {
      states = await store.readMany(entries.map(entry => entry.job.name))
    } catch (error) {
      this.#deps.log.debug({ error: messageOf(error) }, 'the schedule waits for Redis')
      await clock.sleep(RETRY_MS, this.#stopping.signal)
      return
    }
    await Promise.all(
      entries.map(async (entry, index) => {
        const state = states[index]
        if (state) await this.#guarded(entry, () => this.#place(entry, state))
      }),
    )
  }

  async #place(entry: Entry, state: CronState): Promise<void> {
    const { job } = entry
    const { clock, store } = this.#deps
    if (job.trigger.kind === 'reboot') return this.#reboot(entry)
    const now = clock.now()
    const spec = specOf(job)
    const ahead = state.cursor !== undefined && state.cursor - now > CORRECTION_MS
    if (state.cursor === undefined || state.spec !== spec || ahead) {
      await store.reset(job.name, now, spec)
      entry.next = this.#after(job, now)
      return
    }
    // Overdue ticks are dealt with in the next round, by the rules for missed ones.
    entry.next = this.#after(job, state.cursor)
  }

  async #attend(entry: Entry): Promise<void> {
    await this.#guarded(entry, () => this.#fire(entry))
  }

  /** An outage postpones a job; its ticks are made up for by the rules for missed ones. */
  async #guarded(entry: Entry, act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      this.#deps.log.debug({ job: entry.job.name, error: messageOf(error) }, 'tick put off')
      entry.next = this.#deps.clock.now() + RETRY_MS
    }
  }

  async #fire(entry: Entry): Promise<void> {
    const { job } = entry
    const { store, clock } = this.#deps
    const state = await store.read(job.name)
    const now = clock.now()
    const { cursor } = state
    if (cursor === undefined || cursor - now > CORRECTION_MS || state.spec !== specOf(job))
      return this.#place(entry, state)
    const due =
      entry.held === undefined
        ? catchUp({
            cursor,
            now,
            misfire: job.misfire,
            misfireGraceMs: job.misfireGraceMs,
            maxBackfill: job.maxBackfill,
            next: after => nextAfter(job.trigger, job.timezone, after),
          })
        : this.#heldTicks(job, cursor, now)
    if (due.skipped > 0)
      this.#tell(job, due.cursor, 'missed', '', `${due.skipped} ticks too late to run`)
    const reached = await this.#runTicks(entry, state, due.run)
    if (!reached) return
    if (due.run.at(-1) !== due.cursor) await store.advance(job.name, due.cursor, '')
    entry.next = this.#after(job, Math.max(due.cursor, cursor))
  }

  /** Ticks that waited for a run are not late: they run in order, up to `max_backfill` of them. */
  #heldTicks(job: Job, cursor: number, now: number) {
    const run: number[] = []
    let at: number | undefined = cursor
    let skipped = 0
    for (;;) {
      at = nextAfter(job.trigger, job.timezone, at)
      if (at === undefined || at > now) break
      run.push(at)
      if (run.length > job.maxBackfill) {
        run.shift()
        skipped += 1
      }
    }
    return { run, skipped, cursor: run.at(-1) ?? cursor }
  }

  /** @returns false when a tick has to wait for the run before it */
  async #runTicks(entry: Entry, state: CronState, ticks: readonly number[]): Promise<boolean> {
    const { job } = entry
    const { store } = this.#deps
    let { lastId } = state
    for (const tick of ticks) {
      const held = await this.#heldBack(job, state)
      if (held !== '') {
        await store.advance(job.name, tick, '')
        this.#tell(job, tick, 'paused', '', held)
        continue
      }
      const open = lastId !== '' && job.overlap !== 'allow' && (await this.#isOpen(job, lastId))
      if (open && job.overlap === 'queue') {
        entry.held = tick
        entry.next = this.#deps.clock.now() + HELD_POLL_MS
        return false
      }
      if (open && job.overlap === 'skip') {
        await store.advance(job.name, tick, '')
        this.#tell(job, tick, 'skipped', lastId, 'the run before it is not finished')
        continue
      }
      const replaces = open && job.overlap === 'replace'
      if (replaces)
        await this.#deps.queue.cancel(job.task.taskKey, lastId, 'replaced by the next tick')
      lastId = await this.#enqueue(job, tick, replaces ? 'replaced' : 'queued')
    }
    // Only now: an outage in between must not turn a tick that waited into one that was missed.
    entry.held = undefined
    return true
  }

  /** Why the job does not fire at present; a row of failures pauses it here. */
  async #heldBack(job: Job, state: CronState): Promise<string> {
    if (state.paused !== '') return state.paused
    if (job.pauseOnFailures === 0 || state.failures < job.pauseOnFailures) return ''
    const why = `paused after ${state.failures} failures in a row`
    await this.#deps.store.setPaused(job.name, why)
    return why
  }

  #isOpen(job: Job, id: string): Promise<boolean> {
    return this.#deps.queue.isOpen(job.task.taskKey, id)
  }

  async #enqueue(job: Job, tick: number, action: 'queued' | 'replaced'): Promise<string> {
    const { queue, store, random } = this.#deps
    const id = `cron-${job.name}-${tick}`
    const startAt = job.jitterMs > 0 ? tick + Math.round(random() * job.jitterMs) : undefined
    const task: Task = {
      ...job.task,
      id,
      job: job.name,
      scheduledAt: tick,
      ...(startAt !== undefined && { startAt }),
    }
    await queue.add(job.task.taskKey, [task])
    if (await store.advance(job.name, tick, id)) this.#tell(job, tick, action, id, '')
    return id
  }

  async #reboot(entry: Entry): Promise<void> {
    const { job } = entry
    const { store, node, boot, clock, queue } = this.#deps
    entry.next = Number.POSITIVE_INFINITY
    const now = clock.now()
    const id = `cron-${job.name}-boot-${node}-${boot}`
    if ((await store.bootOf(job.name, node)) === boot) return
    if ((await store.read(job.name)).paused !== '') return
    // The same order as for a tick: the id makes it harmless to do this twice.
    await queue.add(job.task.taskKey, [{ ...job.task, id, job: job.name, scheduledAt: now }])
    await store.setBoot(job.name, node, boot)
    this.#tell(job, now, 'queued', id, '@reboot')
  }

  #after(job: Job, instant: number): number {
    return nextAfter(job.trigger, job.timezone, instant) ?? Number.POSITIVE_INFINITY
  }

  #tell(
    job: Job,
    at: number,
    action: 'queued' | 'skipped' | 'replaced' | 'missed' | 'paused',
    taskId: string,
    detail: string,
  ): void {
    const lateMs = Math.max(0, this.#deps.clock.now() - at)
    this.#deps.events.emit({ type: 'tick', job: job.name, at, lateMs, action, taskId, detail })
  }
}

/** What makes the cursor meaningless when it changes. */
function specOf(job: Job): string {
  return JSON.stringify([job.trigger, job.timezone])
}
