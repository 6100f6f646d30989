import { messageOf } from '../lib/errors.ts'
import type { Service } from '../lib/service.ts'
import type { CronState } from '../model/cron-state.ts'
import type { Job } from '../model/job.ts'
import { type Entry, entriesFor, freshEntry, type Prepared } from './entries.ts'
import { Firing } from './firing.ts'
import { type CatchUp, catchUp } from './misfire.ts'
import { nextAfter } from './next-times.ts'
import type { TickerDeps } from './ports.ts'
import { specOf } from './ticks.ts'

/** A clock that was ahead by more than this was corrected, not set back for a season. */
const CORRECTION_MS = 3 * 3_600_000
/** No sleep is longer, so a jump of the clock is noticed. */
const LONGEST_SLEEP_MS = 30_000
/** Node's long timers are late by 0.1 % of their length: come close, then wait the rest. */
const NEAR_MS = 1000
const NEARER_MS = 50
/** For so long what was prepared for a tick is good for it. */
const PREPARED_MS = 500
const RETRY_MS = 500
/** How often a tick that waits for the run before it is looked at, when no event says more. */
const HELD_POLL_MS = 1000

/**
 * Turns time into tasks. A tick is first enqueued under an id made of the job and the tick, then
 * the job's cursor moves: killed in between, or with many nodes at it, the tick still makes one
 * task. https://man7.org/linux/man-pages/man8/cron.8.html for what people expect of it.
 */
export class Ticker implements Service {
  readonly name = 'ticker'
  readonly #deps: TickerDeps
  readonly #firing: Firing
  #entries = new Map<string, Entry>()
  #stopping = new AbortController()
  #wake = new AbortController()
  /** The latest wall time that was seen. */
  #latest = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined
  #unsubscribe: (() => void) | undefined

  constructor(jobs: readonly Job[], deps: TickerDeps) {
    this.#deps = deps
    this.#firing = new Firing(deps)
    this.setJobs(jobs)
  }

  /** Takes over changed jobs. One that is as it was costs nothing and loses nothing. */
  setJobs(jobs: readonly Job[]): void {
    const enabled = jobs.filter(job => job.enabled)
    this.#entries = entriesFor(enabled, this.#entries)
    this.#wake.abort()
  }

  /** Somebody has moved the job's cursor: forgets where it stood. */
  reread(name: string): void {
    const entry = this.#entries.get(name)
    if (!entry) return
    this.#entries.set(name, freshEntry(entry.job))
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
      for (const { job } of this.#entries.values()) this.#entries.set(job.name, freshEntry(job))
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
    else if (await this.#prepare(instant)) return
    await clock.sleep(ms, this.#wake.signal)
  }

  /**
   * Asks for what the ticks of this instant will need, while there is time.
   * @returns false when that was done before
   */
  async #prepare(instant: number): Promise<boolean> {
    const at = this.#deps.clock.now()
    const entries = [...this.#entries.values()].filter(
      entry => entry.next === instant && entry.held === undefined && !isFresh(entry.prepared, at),
    )
    await Promise.all(
      entries.map(async entry => {
        entry.prepared = { at, ...(await this.#ask(entry)) }
      }),
    ).catch(() => undefined)
    return entries.some(entry => entry.prepared?.at === at)
  }

  /** Asked at the same time as what the newest task is: most of the time it is the one we made. */
  async #ask({ job, lastId }: Entry): Promise<Omit<Prepared, 'at'>> {
    const [state, open] = await Promise.all([
      this.#deps.store.read(job.name),
      this.#firing.isOpen(job, lastId),
    ])
    return { state, open }
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
    if (job.trigger.kind === 'reboot') {
      entry.next = Number.POSITIVE_INFINITY
      return this.#firing.reboot(job)
    }
    const now = clock.now()
    const spec = specOf(job)
    const ahead = state.cursor !== undefined && state.cursor - now > CORRECTION_MS
    if (state.cursor === undefined || state.spec !== spec || ahead) {
      const start = ahead ? now : (entry.since ?? now)
      await store.reset(job.name, start, spec)
      entry.since = undefined
      entry.next = this.#after(job, start)
      return
    }
    entry.since = undefined
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
    const { lastId } = entry
    const { prepared } = entry
    entry.prepared = undefined
    // A run that was open may have ended since; one that was not does not open again.
    const usable = isFresh(prepared, clock.now()) && !prepared.open
    const { state, open } = usable ? prepared : await this.#ask(entry)
    const now = clock.now()
    const spec = specOf(job)
    const isOurs = state.cursor !== undefined && state.spec === spec
    // Without a cursor Redis was flushed; with another's, a node has not seen yet that the schedule
    // has changed. The tick that is due is still due.
    const cursor = isOurs ? state.cursor : entry.next - 1
    const isLost = state.cursor !== undefined && now - cursor > job.misfireGraceMs
    const isNew = entry.since !== undefined || job.trigger.kind === 'reboot'
    if (isNew || !Number.isFinite(cursor) || cursor - now > CORRECTION_MS || (!isOurs && isLost))
      return this.#place(entry, state)
    if (!isOurs) await store.reset(job.name, cursor, spec)
    // Ticks that waited for a run are not late: they run in order, up to `max_backfill` of them.
    const waited = entry.held !== undefined
    const due = catchUp({
      cursor,
      now,
      misfire: waited ? 'all' : job.misfire,
      misfireGraceMs: waited ? 0 : job.misfireGraceMs,
      maxBackfill: job.maxBackfill,
      next: after => nextAfter(job.trigger, job.timezone, after),
    })
    if (due.skipped > 0) this.#firing.tell(job, due.cursor, 'missed', '', missedText(due))
    const fired = await this.#firing.run(job, state, due.run, { id: lastId, open })
    entry.lastId = fired.lastId
    // Only now: an outage in between must not turn a tick that waited into one that was missed.
    entry.held = fired.held
    if (fired.held !== undefined) {
      entry.next = now + HELD_POLL_MS
      return
    }
    if (due.run.at(-1) !== due.cursor) await store.advance(job.name, due.cursor, '', state.era)
    entry.next = this.#after(job, Math.max(due.cursor, cursor))
  }

  #after(job: Job, instant: number): number {
    return nextAfter(job.trigger, job.timezone, instant) ?? Number.POSITIVE_INFINITY
  }
}

function missedText(due: CatchUp): string {
  return `${due.skippedMore ? 'more than ' : ''}${due.skipped} ticks too late to run`
}

function isFresh(prepared: Prepared | undefined, now: number): prepared is Prepared {
  return prepared !== undefined && Math.abs(now - prepared.at) < PREPARED_MS
}
